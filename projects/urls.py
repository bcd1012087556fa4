"""Signing in, invitations, and /{project}/settings/…"""

from django.urls import path

from projects import settings_pages as settings
from projects import views

SETTINGS = "<slug:project>/settings/"

urlpatterns = [
    path("", views.home),
    path("sign-in", views.sign_in),
    path("sign-out", views.sign_out),
    path("profile", views.profile),
    path("projects/new", views.new_project),
    path("invitations/<str:token>", views.accept_invitation),
    path("<slug:project>", views.with_slash),
    path("<slug:project>/", views.show_project),
    path(SETTINGS, settings.show_settings),
    path(f"{SETTINGS}environments", settings.environments),
    path(f"{SETTINGS}environments/<slug:slug>", settings.edit_environment),
    path(f"{SETTINGS}members", settings.members),
    path(f"{SETTINGS}members/<int:member_id>", settings.change_member),
    path(f"{SETTINGS}invitations/<int:invitation_id>/revoke", settings.revoke_invitation),
    path(f"{SETTINGS}keys", settings.show_keys),
    path(f"{SETTINGS}keys/<int:key_id>/revoke", settings.revoke_key),
    path(f"{SETTINGS}audit", settings.show_audit),
]
