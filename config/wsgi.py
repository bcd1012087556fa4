"""The WSGI application: pages, API, intake and OFREP."""

import importlib
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
# Every view with all it imports, here and not in each worker's first request: it takes a second.
for urls in (settings.ROOT_URLCONF, settings.STRAIGHT_URLCONF):
    importlib.import_module(urls)
