"""How long a request is held, by what its client says of itself."""

from mcpbridge.calls.limits import Hold, HoldLimits


def test_a_request_with_a_progress_token_is_held_longer():
    limits = HoldLimits()
    assert limits.seconds(client_name="anything", has_progress_token=False) == 50
    assert limits.seconds(client_name="anything", has_progress_token=True) == 240
    assert limits.progress_every == 10


def test_a_client_that_gives_up_early_is_answered_earlier():
    limits = HoldLimits(by_client={"hasty": Hold(without_progress=4, with_progress=5)})
    assert limits.seconds(client_name=" Hasty ", has_progress_token=False) == 4
    assert limits.seconds(client_name="HASTY", has_progress_token=True) == 5


def test_a_known_client_is_held_as_long_as_it_waits():
    limits = HoldLimits()
    assert limits.seconds(client_name="claude-ai", has_progress_token=True) < 60
    assert limits.seconds(client_name="Claude-Code", has_progress_token=False) < 300
    assert limits.seconds(client_name="claude-code", has_progress_token=True) > 300
