"""The embedded parts that manage.py up starts."""
