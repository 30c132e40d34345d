"""Pages of the people app."""

from django.urls import URLPattern, URLResolver, path

from portal.people.views import applications, audit, members, roles, teams, users

urlpatterns: list[URLPattern | URLResolver] = [
    path("teams", teams.team_list, name="people-team-list"),
    path("teams/new", teams.team_add, name="people-team-add"),
    path("teams/<str:team_id>", teams.team_detail, name="people-team-detail"),
    path("teams/<str:team_id>/edit", teams.team_edit, name="people-team-edit"),
    path("applications/<str:application_id>", applications.application_edit, name="people-application-edit"),
    path("teams/<str:team_id>/members/new", members.member_add, name="people-member-add"),
    path("teams/<str:team_id>/members/<str:user_id>", members.member_edit, name="people-member-edit"),
    path("teams/<str:team_id>/members/<str:user_id>/remove", members.member_remove, name="people-member-remove"),
    path("users", users.user_list, name="people-user-list"),
    path("users/new", users.user_invite, name="people-user-invite"),
    path("users/<str:user_id>", users.user_detail, name="people-user-detail"),
    path("users/<str:user_id>/roles", users.user_roles, name="people-user-roles"),
    path("users/<str:user_id>/block", users.user_block, name="people-user-block"),
    path("users/<str:user_id>/unblock", users.user_unblock, name="people-user-unblock"),
    path("audit", audit.audit_list, name="people-audit-list"),
    path("audit/export", audit.audit_export, name="people-audit-export"),
    path("audit/<str:event_id>", audit.audit_detail, name="people-audit-detail"),
    path("roles", roles.role_table, name="people-role-table"),
]
