"""Bounds hold together."""

from doorward_core.http.limits import CLIENT_LIMITS, UPSTREAM_LIMITS


def test_a_target_fits_into_a_head_and_trailers_into_less():
    assert CLIENT_LIMITS.target_bytes < CLIENT_LIMITS.head_bytes
    assert CLIENT_LIMITS.trailer_bytes < CLIENT_LIMITS.head_bytes
    assert CLIENT_LIMITS.stream_window_bytes <= CLIENT_LIMITS.connection_window_bytes


def test_kept_connections_are_no_more_than_there_may_be():
    assert UPSTREAM_LIMITS.idle_connections <= UPSTREAM_LIMITS.connections
