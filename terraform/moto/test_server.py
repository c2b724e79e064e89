"""Tests each patch of server.py: the probe fails without the patch and succeeds with it.

If a probe succeeds without its patch, this moto no longer needs it: delete the patch. `make tf-moto`
runs this."""
import importlib
import io
import json
import unittest
import zipfile

import boto3
import cbor2
import moto.server
from moto import mock_aws

REGION = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


def client(service):
    return boto3.client(service, **REGION)


def role():
    return client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]


def instance(name, **more):
    return client("rds").create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", **more)["DBInstance"]


def rds_resource_ids():
    return instance("a")["DbiResourceId"] != instance("b")["DbiResourceId"]


def rds_performance_insights():
    made = instance("a", EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=7)
    return made.get("PerformanceInsightsEnabled") and made.get("PerformanceInsightsRetentionPeriod") == 7


def rds_user_parameters():
    rds = client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="g", DBParameterGroupFamily="postgres17", Description="d")
    rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=[{"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}])
    return any(p.get("Source") == "user" for p in rds.describe_db_parameters(DBParameterGroupName="g")["Parameters"])


def s3_conditional_deny():
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}))
    return s3.get_object(Bucket="bucket", Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 200


def s3_tags_of_a_new_bucket():
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": [{"Key": "a", "Value": "b"}]})
    return s3.get_bucket_tagging(Bucket="bucket")["TagSet"] == [{"Key": "a", "Value": "b"}]


def cloudwatch_cbor():
    app = moto.server.DomainDispatcherApplication(moto.server.create_backend_app)
    server = importlib.sys.modules.get("server")
    if server:
        app = server.Cbor(app)
    body, caught = cbor2.dumps({}), []
    out = b"".join(app({
        "REQUEST_METHOD": "POST", "PATH_INFO": "/service/GraniteServiceVersion20100801/operation/DescribeAlarms", "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/cbor",
        "HTTP_SMITHY_PROTOCOL": "rpc-v2-cbor", "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=x",
    }, lambda status, headers, exc=None: caught.append(status)))
    return caught[0].startswith("200") and "MetricAlarms" in cbor2.loads(out)


def cloudwatch_composite_alarm():
    client("cloudwatch").put_composite_alarm(AlarmName="a", AlarmRule='ALARM("b")')
    return True


def machine():
    return client("stepfunctions").create_state_machine(name="m", definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
                                                        roleArn="arn:aws:iam::123456789012:role/r")["stateMachineArn"]


def stepfunctions_validation():
    return client("stepfunctions").validate_state_machine_definition(definition="{}")["result"] == "OK"


def stepfunctions_versions():
    return client("stepfunctions").list_state_machine_versions(stateMachineArn=machine())["stateMachineVersions"] == []


def stepfunctions_end():
    states = client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine())["executionArn"]
    return [states.describe_execution(executionArn=execution)["status"] for _ in range(2)] == ["RUNNING", "SUCCEEDED"]


def connection():
    glue = client("glue")
    glue.create_connection(ConnectionInput={"Name": "c", "ConnectionType": "JDBC", "ConnectionProperties": {}})
    return glue


def glue_connection_type():
    return connection().get_connection(Name="c")["Connection"].get("ConnectionType") == "JDBC"


def glue_delete_connection():
    glue = connection()
    glue.delete_connection(ConnectionName="c")
    return glue.get_connections()["ConnectionList"] == []


def glue_update_job():
    glue = client("glue")
    glue.create_job(Name="j", Role="r", Command={"Name": "glueetl"}, DefaultArguments={"--a": "1"}, Timeout=5)
    glue.update_job(JobName="j", JobUpdate={"Role": "r", "Command": {"Name": "glueetl"}, "DefaultArguments": {"--b": "2"}})
    return glue.get_job(JobName="j")["Job"]["DefaultArguments"] == {"--b": "2"}


def function(**more):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("bootstrap", "")
    return client("lambda").create_function(FunctionName="f", Runtime="provided.al2023", Handler="bootstrap", Role=role(), Publish=True,
                                            Code={"ZipFile": archive.getvalue()}, **more)


def lambda_logging():
    function(LoggingConfig={"LogFormat": "JSON", "LogGroup": "g"})
    return client("lambda").get_function_configuration(FunctionName="f")["LoggingConfig"]["LogGroup"] == "g"


def lambda_mapping_alias():
    function()
    functions, kinesis = client("lambda"), client("kinesis")
    alias = functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")["AliasArn"]
    kinesis.create_stream(StreamName="s", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    return functions.create_event_source_mapping(EventSourceArn=stream, FunctionName=alias, StartingPosition="LATEST")["FunctionArn"] == alias


def kinesis_tags():
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1, Tags={"a": "b"})
    stream = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    return kinesis.list_tags_for_resource(ResourceARN=stream)["Tags"] == [{"Key": "a", "Value": "b"}]


def ec2_rule_description():
    ec2 = client("ec2")
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": group, "Description": "why"}]}
    return ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"][0].get("Description") == "why"


def ecs_fargate_task():
    ec2, ecs = client("ec2"), client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(family="f", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
                                 containerDefinitions=[{"name": "n", "image": "i"}])
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}}
    task = ecs.run_task(cluster="c", taskDefinition="f", launchType="FARGATE", networkConfiguration=network)["tasks"][0]["taskArn"]
    seen = [ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0] for _ in range(8)]
    return seen[-1]["lastStatus"] == "STOPPED" and seen[-1]["containers"][0]["exitCode"] == 0


def apigateway_account_without_role():
    return "cloudwatchRoleArn" not in client("apigateway").update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn"}])


PROBES = [rds_resource_ids, rds_performance_insights, rds_user_parameters, s3_conditional_deny, s3_tags_of_a_new_bucket, cloudwatch_cbor,
          cloudwatch_composite_alarm, stepfunctions_validation, stepfunctions_versions, stepfunctions_end, glue_connection_type, glue_delete_connection,
          glue_update_job, lambda_logging, lambda_mapping_alias, kinesis_tags, ec2_rule_description, ecs_fargate_task, apigateway_account_without_role]


def outcome(probe):
    with mock_aws():
        try:
            return bool(probe())
        except Exception as error:  # moto has many ways to refuse what it does not support
            return f"{type(error).__name__}: {error}"


class Patches(unittest.TestCase):
    def test_each_is_needed_and_works(self):
        needless = [p.__name__ for p in PROBES if outcome(p) is True]
        self.assertEqual(needless, [], "moto does this by itself now: delete the patch")
        import server  # noqa: F401  patches moto
        for probe in PROBES:
            with self.subTest(probe.__name__):
                self.assertIs(outcome(probe), True)


if __name__ == "__main__":
    unittest.main()
