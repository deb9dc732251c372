"""A channel is read while there is no reason against it."""

from doorward_ssh.sides import Side


class Channel:
    """What asyncssh's channels are asked for here."""

    def __init__(self):
        self.read = True

    def pause_reading(self):
        self.read = False

    def resume_reading(self):
        self.read = True


def side():
    made, channel = Side(), Channel()
    made.attach(channel)
    return made, channel


def test_it_is_read_again_when_the_last_reason_has_gone():
    made, channel = side()
    made.stop("full")
    made.stop("deciding")
    made.go("full")
    assert (channel.read, made.stopped) == (False, True)
    made.go("deciding")
    assert (channel.read, made.stopped) == (True, False)


def test_a_reason_that_was_never_given_changes_nothing():
    made, channel = side()
    made.stop("full")
    made.go("deciding")
    assert not channel.read


def test_a_channel_that_is_gone_is_left_alone():
    made, channel = side()
    made.stop("full")
    made.attach(None)
    made.go("full")
    assert (channel.read, made.stopped) == (False, False)
