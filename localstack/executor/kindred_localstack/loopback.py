"""LocalStack's server for this machine and this user alone.

It listens on the hosts that GATEWAY_LISTEN names, lets only the users of KINDRED_USERS connect, refuses requests whose Host header
is not this machine's, and adds a page that says what it runs with.
"""
import functools

from localstack.runtime.server.twisted import TwistedRuntimeServer
from localstack.services.internal import get_internal_apis
from rolo import Request, route
from twisted.internet import endpoints
from twisted.internet.protocol import Factory

from . import peer


class _Guard(Factory):
    """A factory that makes no protocol for another user's connection, which Twisted then closes unread."""

    def __init__(self, factory, local, allowed):
        self._factory, self._local, self._allowed = factory, local, allowed

    def buildProtocol(self, address):
        if peer.admitted((address.host, address.port), self._local, self._allowed):
            return self._factory.buildProtocol(address)
        return None

    def doStart(self):
        self._factory.doStart()

    def doStop(self):
        self._factory.doStop()


class LoopbackServer(TwistedRuntimeServer):
    def register(self, gateway, listen, ssl_creds=None):
        stock, allowed = endpoints.TCP4ServerEndpoint, peer.users()
        gateway.request_handlers.insert(0, refuse_foreign_host)

        def endpoint(reactor, port, *, host):
            made = stock(reactor, port, interface=host)
            plain = made.listen
            made.listen = lambda factory: plain(_Guard(factory, (host, port), allowed))
            return made

        try:
            for address in listen:
                endpoints.TCP4ServerEndpoint = functools.partial(endpoint, host=address.host)
                super().register(gateway, [address], ssl_creds)
        finally:
            endpoints.TCP4ServerEndpoint = stock
        get_internal_apis().add(report)


def refuse_foreign_host(chain, context, response):
    """A handler of the gateway, before all others."""
    if not peer.local_host(context.request.headers.get("Host")):
        response.status_code = 421
        response.set_json({"message": "The Host header does not name this machine: use 127.0.0.1, localhost or localhost.localstack.cloud."})
        chain.terminate()


@route("/_localstack/kindred")
def report(_: Request):
    """What nothing else tells: LocalStack falls back to Docker with a log line only when it does not know an executor."""
    from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor

    return {"lambda_executor": get_runtime_executor().__name__}
