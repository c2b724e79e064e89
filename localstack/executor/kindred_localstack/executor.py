"""LocalStack's RuntimeExecutor on top of Sandbox."""
import json
import os
import platform
import threading
import time

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from .sandbox import InitFailed, Invocation, Sandbox, SandboxDied, reachable

# What a function gets of this machine's environment; all else comes from the function. KINDRED_STACK marks it as ours.
HOST_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KINDRED_STACK")


class ProcessExecutor(RuntimeExecutor):
    """One Lambda environment. LocalStack sends it one invocation at a time; a dead process is replaced on the next."""

    def __init__(self, id: str, function_version):
        super().__init__(id, function_version)
        self._env: dict[str, str] = {}
        self._sandbox: Sandbox | None = None
        self._init_seconds: float | None = None  # reported with the first invocation of a process
        self._stopped = False
        self._lock = threading.Lock()

    def start(self, env_vars):
        host = {name: os.environ[name] for name in HOST_VARIABLES if name in os.environ}
        places = os.environ.get("KINDRED_LOOPBACK", "")
        self._env = host | {name: reachable(str(value), places) for name, value in env_vars.items()}
        self._spawn()

    def _spawn(self):
        settings = self.function_version.config
        settings.code.prepare_for_execution()  # no-op while the unzipped code is still there
        try:
            with self._lock:
                if self._stopped:
                    raise SandboxDied("Sandbox.Failure", "environment stopped")
                self._sandbox = Sandbox(
                    settings.code.get_unzipped_code_location(), self._env, config.LAMBDA_LIMITS_MAX_FUNCTION_PAYLOAD_SIZE_BYTES
                )
            self._init_seconds = self._sandbox.wait_ready()
        except (SandboxDied, InitFailed) as e:
            payload = e.payload() if isinstance(e, SandboxDied) else e.payload
            tail = self.get_logs()[-2000:]
            self._close_sandbox()
            raise StatusErrorException(f"{self.function_version.id.function_name}: {e}\n{tail}".rstrip(), payload) from e

    def invoke(self, payload, *_, **__):  # forks of LocalStack tell the time limit too
        request_id, timeout = payload["invoke-id"], self.function_version.config.timeout
        for last_try in (False, True):
            if not self._sandbox or not self._sandbox.alive():
                self._close_sandbox()
                self._spawn()
            began, init_seconds, extra = time.monotonic(), self._init_seconds, ""
            invocation = Invocation(
                request_id, payload["invoked-function-arn"], payload["payload"].encode(), payload["trace-id"], time.time() + timeout
            )
            try:
                body, is_error = self._sandbox.invoke(invocation)
            except SandboxDied as e:
                if not invocation.taken and not last_try:  # it was leaving after the invocation before, e.g. a panic
                    continue
                body, is_error = e.payload(request_id), True
                extra = f"{json.loads(body)['errorMessage']}\n"
            self._init_seconds = None
            logs = self._invocation_log(request_id, time.monotonic() - began, init_seconds, extra)
            return InvocationResult(request_id=request_id, payload=body, is_error=is_error, logs=logs)

    def _invocation_log(self, request_id: str, seconds: float, init_seconds: float | None, extra: str) -> str:
        text = self._sandbox.take_log()
        if text and not text.endswith("\n"):
            text += "\n"
        version, settings = self.function_version.id.qualifier, self.function_version.config
        report = f"Duration: {seconds * 1000:.2f} ms\tBilled Duration: {int(seconds * 1000) + 1} ms\tMemory Size: {settings.memory_size} MB"
        report += f"\tMax Memory Used: {self._sandbox.peak_memory_mb()} MB"
        if init_seconds is not None:
            report += f"\tInit Duration: {init_seconds * 1000:.2f} ms"
        return (
            f"START RequestId: {request_id} Version: {version}\n{text}{extra}"
            f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\t{report}\n"
        )

    def stop(self):
        with self._lock:
            self._stopped = True
        self._close_sandbox()

    def _close_sandbox(self):
        sandbox = self._sandbox
        if sandbox:
            sandbox.close()

    def get_logs(self):
        return self._sandbox.take_log() if self._sandbox else ""

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"  # only read by LocalStack's own init binary

    @classmethod
    def prepare_version(cls, function_version):
        """Runs when a version is made; what it raises becomes the function's StateReason."""
        settings = function_version.config
        if not (settings.runtime or "").startswith("provided"):
            raise ValueError(f"the process executor runs provided.* functions only, not {settings.runtime or 'images'}")
        settings.code.prepare_for_execution()
        bootstrap = settings.code.get_unzipped_code_location() / "bootstrap"
        if not bootstrap.is_file():
            raise ValueError("the zip holds no file `bootstrap` at its top")
        if made_for := _foreign_machine(bootstrap):
            raise ValueError(f"bootstrap is built for {made_for}, this machine is {platform.system()} on {platform.machine()}")

    @classmethod
    def cleanup_version(cls, function_version):
        """Nothing: versions share code, and LocalStack deletes it when the last user is gone."""


def _foreign_machine(binary) -> str | None:
    """Names what an ELF file is for when that is not this machine."""
    with open(binary, "rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        return None  # a script, or macOS's own format: the kernel decides
    if platform.system() != "Linux":
        return "Linux"
    name = {0x3E: "x86_64", 0xB7: "aarch64"}.get(int.from_bytes(head[18:20], "little"), "another CPU")
    return None if name == {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine()) else name
