"""Makes LocalStack's server listen on the hosts that GATEWAY_LISTEN names, and adds a page that says what it runs with."""
import functools

from localstack.runtime.server.twisted import TwistedRuntimeServer
from localstack.services.internal import get_internal_apis
from rolo import Request, route
from twisted.internet import endpoints


class LoopbackServer(TwistedRuntimeServer):
    def register(self, gateway, listen, ssl_creds=None):
        stock = endpoints.TCP4ServerEndpoint
        try:
            for address in listen:
                endpoints.TCP4ServerEndpoint = functools.partial(stock, interface=address.host)
                super().register(gateway, [address], ssl_creds)
        finally:
            endpoints.TCP4ServerEndpoint = stock
        get_internal_apis().add(report)


@route("/_localstack/kindred")
def report(_: Request):
    """What nothing else tells: LocalStack falls back to Docker with a log line only when it does not know an executor."""
    from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor

    return {"lambda_executor": get_runtime_executor().__name__}
