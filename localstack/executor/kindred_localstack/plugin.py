"""Entry points. Imports are deferred to load(): plugin discovery imports this file and must stay cheap."""
from plux import Plugin


class ProcessExecutorPlugin(Plugin):
    """LAMBDA_RUNTIME_EXECUTOR=process: functions run as child processes, without Docker."""

    namespace = "localstack.lambda.runtime_executor"
    name = "process"

    def load(self, *args, **kwargs):
        from .executor import ProcessExecutor

        return ProcessExecutor


class LoopbackServerPlugin(Plugin):
    """GATEWAY_SERVER=loopback: LocalStack's own server, but it honours the host in GATEWAY_LISTEN.

    The stock one listens on every interface whatever GATEWAY_LISTEN says, and a stack without authentication
    that runs uploaded programs must not be reachable from the network.
    """

    namespace = "localstack.runtime.server"
    name = "loopback"

    def load(self, *args, **kwargs):
        from .loopback import LoopbackServer

        return LoopbackServer()
