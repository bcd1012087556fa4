"""The shop itself: three services, their routes, and how they are served."""
