"""Addresses of the reviewers' pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from approvals.web import (
    absence,
    account,
    attending,
    audit,
    batches,
    bursts,
    canaries,
    decisions,
    editing,
    grants,
    history,
    inbox,
    killswitch,
    measures,
    stepup,
    tickets,
)

app_name = "approvals"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", inbox.inbox, name="inbox"),
    path("history/", history.history, name="history"),
    path("history/export.csv", history.export, name="history-export"),
    path("frame/", inbox.frame, name="frame"),
    path("tickets/<uuid:uid>/", tickets.ticket, name="ticket"),
    path("tickets/<uuid:uid>/row/", inbox.row, name="row"),
    path("tickets/<uuid:uid>/decide/", decisions.decide, name="decide"),
    path("tickets/<uuid:uid>/step-up/", stepup.offer, name="step-up"),
    path("tickets/<uuid:uid>/withdraw/", decisions.withdraw, name="withdraw"),
    path("tickets/<uuid:uid>/revoke/", decisions.revoke, name="revoke"),
    path("tickets/<uuid:uid>/cancel/", decisions.cancel, name="cancel"),
    path("tickets/<uuid:uid>/edit/", editing.edit, name="edit"),
    path("tickets/<uuid:uid>/say/", attending.say, name="say"),
    path("tickets/<uuid:uid>/hand-on/", attending.hand_on, name="hand-on"),
    path("tickets/<uuid:uid>/snooze/", attending.snooze, name="snooze"),
    path("tickets/<uuid:uid>/wake/", attending.wake, name="wake"),
    path("tickets/<uuid:uid>/annotate/", decisions.annotate, name="annotate"),
    path("tickets/<uuid:uid>/grant/", grants.new_grant, name="grant-new"),
    path("tests/", canaries.canaries, name="canaries"),
    path("measures/", measures.measures, name="measures"),
    path("batch/", batches.batch, name="batch"),
    path("away/", absence.absences, name="absences"),
    path("away/<uuid:absence_id>/end/", absence.end, name="absence-end"),
    path("bursts/<uuid:agent_id>/", bursts.burst, name="burst"),
    path("agents/<uuid:agent_id>/resume/", bursts.resume, name="resume-agent"),
    path("grants/", grants.grants, name="grants"),
    path("grants/<uuid:grant_id>/", grants.grant, name="grant"),
    path("grants/<uuid:grant_id>/revoke/", grants.revoke, name="grant-revoke"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify_now, name="audit-verify"),
    path("kill-switch/", killswitch.kill_switch, name="kill"),
    path("account/", account.account, name="account"),
]
