"""moto's server with patches: terraform-provider-aws 6.47 needs them, and moto 5.2.5 lacks them.

`make tf-moto` starts it. It proves the control plane only. Where a patch returns an attribute as it
was given, an empty plan shows that the configuration is consistent, not that AWS accepts it. The
patches:

 1. RDS: a DbiResourceId per instance (moto gives every instance the same); performance insights;
    parameters marked as set by the user
 2. S3: a Deny with a condition (TLS only) is not applied, because moto ignores the condition; tags
    given with CreateBucket
 3. CloudWatch: smithy rpc-v2-cbor, the only protocol of the Go SDK; PutCompositeAlarm
 4. Step Functions: ValidateStateMachineDefinition and ListStateMachineVersions, which the provider
    repeats until they succeed; an execution's end
 5. Glue: the type of a connection; DeleteConnection; UpdateJob
 6. Lambda: the logging configuration of a function; the alias in a mapping's function
 7. Kinesis: tags given with CreateStream, and the ARN forms of the tag calls
 8. EC2: descriptions of rules that name a group or a prefix list
 9. ECS: the containers of a Fargate task without memory of their own
10. API Gateway: the account's role for logs is taken away

GET /kindred/held counts what the server holds, so that a test sees what a destroy left behind.
MOTO_IAM_LOAD_MANAGED_POLICIES=true loads AWS's managed policies.
"""
import datetime
import inspect
import io
import json
import secrets
import sys

import botocore.session
import cbor2
import moto.backends
import moto.server
import xmltodict
from moto.apigateway import models as apigateway_models
from moto.awslambda import models as lambda_models
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.models import EC2ContainerServiceBackend
from moto.glue import models as glue_models
from moto.glue.responses import GlueResponse
from moto.iam import access_control
from moto.kinesis.responses import KinesisResponse
from moto.rds import models
from moto.s3.responses import S3Response
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.responses import StepFunctionResponse

_init = models.DBInstance.__init__


def _with_own_id(self, *args, **kwargs):
    _init(self, *args, **kwargs)
    self.performance_insights_enabled = bool(kwargs.get("enable_performance_insights"))
    self.performance_insights_kms_key_id = kwargs.get("performance_insights_kms_key_id")
    self.performance_insights_retention_period = kwargs.get("performance_insights_retention_period")
    self.dbi_resource_id = "db-" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(26))


models.DBInstance.__init__ = _with_own_id

_permitted = access_control.IAMPolicyStatement.is_action_permitted


def _skip_conditional_deny(self, *args, **kwargs):
    if self._statement.get("Effect") == "Deny" and "Condition" in self._statement:
        return access_control.PermissionResult.NEUTRAL
    return _permitted(self, *args, **kwargs)


access_control.IAMPolicyStatement.is_action_permitted = _skip_conditional_deny

CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm

StepFunctionResponse.validate_state_machine_definition = lambda self: ActionResult({"result": "OK", "diagnostics": [], "truncated": False})
StepFunctionResponse.list_state_machine_versions = lambda self: ActionResult({"stateMachineVersions": []})

# ECS: moto adds up the memory of the containers, but on Fargate only the task has one.
EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(lambda definition: {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []})

_describe_execution = StepFunctionBackend.describe_execution


def _ended_execution(self, *args, **kwargs):
    """The first call sees it running, the second ended. In moto it never ends."""
    execution = _describe_execution(self, *args, **kwargs)
    if getattr(execution, "seen", False):
        execution.status, execution.stop_date = "SUCCEEDED", datetime.datetime.now(datetime.timezone.utc)
    execution.seen = True
    return execution


StepFunctionBackend.describe_execution = _ended_execution

# API Gateway: an operation without a value takes it away
_patch_account = apigateway_models.Account.apply_patch_operations
apigateway_models.Account.apply_patch_operations = lambda self, operations: _patch_account(self, [{"value": None, **op} for op in operations])

# --- Attributes that moto does not store or not return. Each would be a change in the second plan.


# Glue: type and deletion of connections, update of jobs
_connection = glue_models.FakeConnection.as_dict
glue_models.FakeConnection.as_dict = lambda self, *a, **k: {**_connection(self, *a, **k), "ConnectionType": self.connection_input.get("ConnectionType")}


def _delete_connection(self):
    self.glue_backend.connections.pop(self._get_param("ConnectionName"), None)
    return ActionResult({})


GlueResponse.delete_connection = _delete_connection


def _update_job(self):
    """As AWS: what the update does not give goes back to its default."""
    name, backend = self._get_param("JobName"), self.glue_backend
    old, given = backend.get_job(name), self._get_param("JobUpdate")
    parameters = [p for p in inspect.signature(glue_models.FakeJob.__init__).parameters if p not in ("self", "name", "tags", "backend")]
    new = glue_models.FakeJob(name=name, tags=None, backend=backend, **{p: given.get("".join(map(str.capitalize, p.split("_")))) for p in parameters})
    new.created_on, new.job_runs = old.created_on, old.job_runs
    backend.jobs[name] = new
    return ActionResult({"JobName": name})


GlueResponse.update_job = _update_job

# Lambda: logging configuration
_lambda_init, _lambda_config = lambda_models.LambdaFunction.__init__, lambda_models.LambdaFunction.get_configuration


def _lambda_with_logging(self, account_id, spec, *args, **kwargs):
    _lambda_init(self, account_id, spec, *args, **kwargs)
    self.logging_config = spec.get("LoggingConfig")


lambda_models.LambdaFunction.__init__ = _lambda_with_logging
lambda_models.LambdaFunction.get_configuration = lambda self, *a, **k: {
    **_lambda_config(self, *a, **k), **({"LoggingConfig": self.logging_config} if self.logging_config else {})}

# Lambda: a mapping returns its function as it was given, with the alias
_mapping_init = lambda_models.EventSourceMapping.__init__


def _mapping_with_alias(self, spec):
    _mapping_init(self, spec)
    if spec["FunctionName"].startswith("arn:"):
        self.function_arn = spec["FunctionName"]


lambda_models.EventSourceMapping.__init__ = _mapping_with_alias

# Kinesis: tags given with CreateStream, and the ARN forms of the tag calls
_create_stream = KinesisResponse.create_stream


def _create_tagged(self):
    out = _create_stream(self)
    if self._get_param("Tags"):
        self.kinesis_backend.add_tags_to_stream(None, self._get_param("StreamName"), self._get_param("Tags"))
    return out


def _stream_tags(self):
    return ActionResult(self.kinesis_backend.list_tags_for_stream(self._get_param("ResourceARN"), None))


KinesisResponse.create_stream, KinesisResponse.list_tags_for_resource = _create_tagged, _stream_tags

# S3: tags given with CreateBucket
_location = S3Response._get_location_constraint


def _location_and_tags(self):
    if self.body:
        tags = ((xmltodict.parse(self.body).get("CreateBucketConfiguration") or {}).get("Tags") or {}).get("Tag") or []
        tags = tags if isinstance(tags, list) else [tags]
        if tags:
            self.backend.tagger.tag_resource("arn:aws:s3:::" + self.bucket_name, [{"Key": t["Key"], "Value": t["Value"]} for t in tags])
    return _location(self)


S3Response._get_location_constraint = _location_and_tags

# EC2: descriptions of rules that name a group or a prefix list
_rule_init = SecurityGroupRule.__init__


def _rule_with_description(self, *args, **kwargs):
    _rule_init(self, *args, **kwargs)
    self.own_description = next((p["Description"] for p in (*args, *kwargs.values()) if isinstance(p, dict) and p.get("Description")), None)


SecurityGroupRule.__init__ = _rule_with_description
SecurityGroupRule.description = property(lambda self: self.own_description)

# RDS: performance insights, and parameters marked as set by the user
_update_parameters = models.DBParameterGroup.update_parameters


def _user_parameters(self, new):
    _update_parameters(self, [{**p, "Source": "user"} for p in new])


models.DBParameterGroup.update_parameters = _user_parameters

_model = botocore.session.get_session().get_service_model("cloudwatch")


def _typed(value, shape):
    if value is None:
        return None
    if shape.type_name == "structure":
        return {k: _typed(v, shape.members[k]) for k, v in value.items() if k in shape.members and v is not None}
    if shape.type_name == "list":
        return [_typed(v, shape.member) for v in value]
    if shape.type_name == "timestamp":
        return datetime.datetime.fromtimestamp(float(value), datetime.timezone.utc)
    if shape.type_name in ("double", "float"):
        return float(value)
    return value


def _jsonable(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {k: _jsonable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_jsonable(v) for v in value]
    return value


SERVICES = ("cloudwatch", "ec2", "ecr", "ecs", "events", "firehose", "glue", "iam", "kinesis", "kms", "lambda", "logs", "rds", "s3", "scheduler",
            "secretsmanager", "sns", "stepfunctions")


def _held(account="123456789012", region="eu-west-1"):
    """How much each service holds, by collection, including what a new service already holds."""
    count = {}
    for service in SERVICES:
        backends = moto.backends.get_backend(service)[account]
        backend = backends["aws"] if "aws" in backends.regions else backends[region]
        for name, value in vars(backend).items():
            if isinstance(value, (dict, list, set)):
                count[f"{service} {name}"] = len(value)
    return count


class Cbor:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/kindred/held":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(_held()).encode()]
        if environ.get("HTTP_SMITHY_PROTOCOL") != "rpc-v2-cbor":
            return self.app(environ, start_response)
        operation = environ["PATH_INFO"].rsplit("/", 1)[-1]
        size = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(size)
        body = json.dumps(_jsonable(cbor2.loads(raw)) if raw else {}).encode()
        environ.update({
            "PATH_INFO": "/", "RAW_URI": "/", "REQUEST_URI": "/", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
            "CONTENT_TYPE": "application/x-amz-json-1.0", "HTTP_X_AMZ_TARGET": "GraniteServiceVersion20100801." + operation,
        })
        environ.pop("HTTP_SMITHY_PROTOCOL")
        caught = []
        out = b"".join(self.app(environ, lambda status, headers, exc=None: caught.append(status)))
        status = caught[0]
        data = json.loads(out) if out.strip() else {}
        if status.startswith("2"):
            shape = _model.operation_model(operation).output_shape
            data = _typed(data, shape) if shape else {}
        payload = cbor2.dumps(data, datetime_as_timestamp=True)
        start_response(status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(payload)))])
        return [payload]


_run = moto.server.run_simple
moto.server.run_simple = lambda host, port, app, **kw: _run(host, port, Cbor(app), **kw)

if __name__ == "__main__":
    sys.exit(moto.server.main(sys.argv[1:]))
