"""Addresses of the admin's pages."""

from django.urls import path

from mcpbridge.web import agents, others, questions, upstreams

app_name = "manage"
urlpatterns = [
    path("upstreams/", upstreams.upstreams, name="upstreams"),
    path("upstreams/new/", upstreams.new_upstream, name="new_upstream"),
    path("upstreams/<slug:name>/", upstreams.upstream, name="upstream"),
    path("upstreams/<slug:name>/settings/", upstreams.upstream_settings, name="upstream_settings"),
    path("upstreams/<slug:name>/refresh/", upstreams.refresh, name="refresh"),
    path("upstreams/<slug:name>/others/", others.choose, name="others"),
    path("upstreams/<slug:name>/pins/", upstreams.pin_all_new, name="pin_all_new"),
    path("upstreams/<slug:name>/pins/<uuid:pin_id>/", upstreams.decide_pin, name="decide_pin"),
    path("agents/", agents.agents, name="agents"),
    path("agents/new/", agents.new_agent, name="new_agent"),
    path("agents/<slug:name>/", agents.agent, name="agent"),
    path("agents/<slug:name>/tokens/", agents.new_token, name="new_token"),
    path("agents/<slug:name>/tokens/<uuid:token_id>/end/", agents.end_token, name="end_token"),
    path("questions/", questions.questions, name="questions"),
    path("policy/", upstreams.policy, name="policy"),
]
