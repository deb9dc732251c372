"""One tree of exceptions, named by what the caller must do.

A refusal of a single statement, command or request is a value (`doorward_core.model.Denial`), never an exception.
What is raised here ends something: a connection, an admission, or the process.
Messages are safe to log: they never carry a credential, and never a value that came from a target.
"""


class GatewayError(Exception):
    """Anything that Doorward itself raises."""


class ProtocolError(GatewayError):
    """A peer, or we ourselves, broke a wire protocol."""


class ClientProtocolError(ProtocolError):
    """The client broke its protocol: answer with the protocol's own error and close."""


class UpstreamProtocolError(ProtocolError):
    """The target broke its protocol: answer generically, close, and count it as an alarm."""


class UnreadableBody(ProtocolError):
    """A body that owes a mask is not what it says it is, or is past a bound: what has not left, does not leave."""


class LocalProtocolError(ProtocolError):
    """We misused one of our own machines: a defect, and the connection ends."""


class AuthenticationError(GatewayError):
    """The credential is absent, expired or bad.

    The message is for our own log; the client is told nothing but that it failed.
    """


class TooManyFailures(AuthenticationError):
    """Whoever asks has failed so often that it was not looked at any more."""


class AdmissionRefused(GatewayError):
    """Who it is, is known; a session on this resource is not granted.

    The message is the operator's words to the user.
    """


class TooManySessions(AdmissionRefused):
    """This identity has as many sessions as one may have; when one of them ends there is room for another."""


class UpstreamUnavailable(GatewayError):
    """Dialling, TLS or login at the target failed."""


class RecordError(GatewayError):
    """The log could not be written: traffic stops, readiness goes red."""


class TrafficStopped(RecordError):
    """The log is well, and takes nothing that begins: a limit of its archive, its witnesses or its disk is passed.

    The message says which, in words for the client.
    """


class StoreError(GatewayError):
    """The approvals store could not be read or written: what is held stays held."""


class ConfigError(GatewayError):
    """A file that the operator wrote cannot be used.

    `problems` lists every fault at once, each as `file:line: key.path: what is wrong`.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
