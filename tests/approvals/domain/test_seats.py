"""Which approvals fill which seats, and who stands in for whom."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.errors import StandInBarred, StandInNotNeeded
from approvals.domain.obligations import Obligations, Seats
from approvals.domain.quorum import Answer, Parties, Vote, reachable, resolve, why_not
from approvals.domain.seats import Mandate, fill

NOW = b"now"
SECURITY, OPS = Seats(group="security", need=1), Seats(group="ops", need=2)
BOTH = Obligations(groups=("security", "ops"), quorum=3, quorums=(SECURITY, OPS))
ONE = Obligations(groups=("ops",))


def member(name, *groups):
    return {name: tuple(Mandate(holder=name, group=group) for group in groups)}


def stands_in(name, holder, group="ops"):
    return {name: (Mandate(holder=holder, group=group),)}


def approvals(*people):
    return [Vote(person=p, answer=Answer.APPROVE, digest=NOW) for p in people]


def outcome(eligible, *people, obligations=BOTH, parties=None):
    return resolve(
        approvals(*people),
        obligations=obligations,
        digest=NOW,
        eligible=eligible,
        parties=parties or Parties(),
    )


PEOPLE = member("bob", "security") | member("carol", "ops") | member("dan", "ops")


def test_every_group_gives_the_approvals_that_it_owes():
    found = outcome(PEOPLE, "carol", "dan")
    assert (found.state, found.have, found.need) == ("pending", 2, 3)
    assert [(f.group, f.have, f.missing) for f in found.by_group] == [
        ("security", 0, 1),
        ("ops", 2, 0),
    ]
    assert outcome(PEOPLE, "carol", "dan", "bob").state == "approved"


def test_more_of_one_group_do_not_make_up_for_another():
    crowd = PEOPLE | member("eve", "ops") | member("fay", "ops")
    found = outcome(crowd, "carol", "dan", "eve", "fay")
    assert (found.state, found.have) == ("pending", 2)


def test_somebody_in_two_groups_fills_one_seat_the_one_that_helps():
    found = outcome(PEOPLE | member("bob", "security", "ops"), "bob", "carol")
    assert (found.state, found.have) == ("pending", 2)
    moved = member("eve", "security") | member("bob", "ops", "security") | member("dan", "ops")
    assert outcome(moved, "bob", "dan", "eve").state == "approved"


def test_who_was_asked_by_escalation_may_fill_any_seat():
    found = outcome(PEOPLE | member("boss", None), "carol", "dan", "boss")
    assert found.state == "approved"


def test_people_without_a_group_fill_no_seat():
    assert outcome({"bob", "carol", "dan"}, "bob", "carol", "dan").have == 0
    assert not reachable({"bob", "carol", "dan"}, BOTH, ())


def test_one_rejection_ends_it_whatever_group_it_comes_from():
    votes = [*approvals("carol", "dan"), Vote(person="bob", answer=Answer.REJECT, digest=NOW)]
    found = resolve(votes, obligations=BOTH, digest=NOW, eligible=PEOPLE, parties=Parties())
    assert found.state == "rejected"


def test_a_quorum_over_groups_is_reachable_only_with_enough_people_in_each():
    assert reachable(PEOPLE, BOTH, ())
    assert not reachable(PEOPLE, BOTH, {"bob"})
    assert not reachable(member("bob", "security", "ops") | member("carol", "ops"), BOTH, ())


def test_whoever_stands_in_counts_for_the_one_who_is_away():
    assert outcome(stands_in("xena", "anna"), "xena", obligations=ONE).state == "approved"


def test_the_absent_person_s_own_vote_takes_the_place_of_the_stand_in_s():
    two = Obligations(groups=("ops",), quorum=2)
    eligible = member("anna", "ops") | stands_in("xena", "anna")
    found = outcome(eligible, "xena", "anna", obligations=two)
    assert (found.state, found.have, found.approved_by) == ("pending", 1, ("anna",))


def test_a_stand_in_who_has_a_vote_of_their_own_counts_once():
    two = Obligations(groups=("ops",), quorum=2)
    both = {"xena": (Mandate(holder="xena", group="ops"), Mandate(holder="anna", group="ops"))}
    assert outcome(both, "xena", obligations=two).have == 1


def test_the_vote_of_one_absent_person_is_cast_once():
    two = Obligations(groups=("ops",), quorum=2)
    eligible = stands_in("xena", "anna") | stands_in("yuri", "anna")
    assert outcome(eligible, "xena", "yuri", obligations=two).have == 1


def test_owner_and_four_eyes_rules_hold_for_both():
    eligible = stands_in("xena", "anna")
    careful = Obligations(groups=("ops",), four_eyes=True)
    for parties in (
        Parties(owners=frozenset({"anna"})),
        Parties(owners=frozenset({"xena"})),
        Parties(authors=frozenset({"anna"})),
        Parties(authors=frozenset({"xena"})),
    ):
        found = outcome(eligible, "xena", obligations=careful, parties=parties)
        assert found.state == "pending"


def refusal(person, eligible, *, voted=(), answer=Answer.APPROVE, parties=None):
    return why_not(
        person,
        answer,
        votes=approvals(*voted),
        obligations=ONE,
        digest=NOW,
        eligible=eligible,
        parties=parties or Parties(),
    )


def test_a_stand_in_is_told_why_not():
    eligible = member("anna", "ops") | stands_in("xena", "anna")
    assert refusal("xena", eligible) is None
    owner = Parties(owners=frozenset({"anna"}))
    assert isinstance(refusal("xena", eligible, parties=owner), StandInBarred)
    assert refusal("xena", eligible, parties=owner, answer=Answer.REJECT) is None
    for answer in (Answer.APPROVE, Answer.REJECT):
        found = refusal("xena", eligible, voted=["anna"], answer=answer)
        assert isinstance(found, StandInNotNeeded)


names = st.sampled_from(["p", "q", "r", "s"])
mandates = st.builds(Mandate, holder=names, group=st.sampled_from(["a", "b", "", None]))
electorates = st.dictionaries(names, st.lists(mandates, min_size=1, max_size=3).map(tuple))
quorums = st.lists(
    st.builds(Seats, group=st.sampled_from(["a", "b"]), need=st.integers(1, 2)),
    min_size=1,
    unique_by=lambda seats: seats.group,
)


@given(electorates, quorums)
def test_as_many_seats_are_filled_as_any_assignment_could(people, seats):
    places = [each.group for each in seats for _ in range(each.need)]
    best = 0
    for taken in product([None, *range(len(places))], repeat=len(people)):
        used = [place for place in taken if place is not None]
        fits = len(used) == len(set(used)) and all(
            place is None
            or any(mandate.group in (None, places[place]) for mandate in people[person])
            for person, place in zip(people, taken, strict=True)
        )
        best = max(best, len(used) if fits else 0)
    found = fill(people, seats)
    assert sum(each.have for each in found) == best
    assert all(0 <= each.have <= each.need for each in found)


@given(electorates, quorums, st.lists(names, unique=True), st.frozensets(names))
def test_no_vote_is_counted_twice_and_none_of_the_barred(eligible, seats, voters, owners):
    """The approvals that count belong to as many different people, none of them barred."""
    obligations = Obligations(
        groups=tuple(each.group for each in seats),
        quorum=sum(each.need for each in seats),
        quorums=tuple(seats),
    )
    found = outcome(eligible, *voters, obligations=obligations, parties=Parties(owners=owners))
    assert found.have == sum(each.have for each in found.by_group) <= len(found.approved_by)
    assert not owners & set(found.approved_by)
    assert set(found.approved_by) <= set(voters)
    if found.state == "approved":
        assert all(each.missing == 0 for each in found.by_group)
