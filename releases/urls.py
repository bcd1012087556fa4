"""Where changes are posted."""

from django.urls import path

from releases.views import post_deploy, post_marker

urlpatterns = [
    path("api/v1/deploys", post_deploy),
    path("api/v1/markers", post_marker),
]
