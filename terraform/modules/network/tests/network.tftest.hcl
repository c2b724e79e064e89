mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "kindred-test"
  region             = "eu-west-1"
  availability_zones = ["eu-west-1a", "eu-west-1b"]
  account_id         = "123456789012"
  programs = {
    etl   = { databases = ["source_db"] }
    train = {}
    serve = { databases = ["vector_db"], task = false }
  }
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "closed" {
  command = plan

  assert {
    condition     = alltrue([for s in aws_subnet.private : !s.map_public_ip_on_launch])
    error_message = "subnets must be private"
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.target : r.cidr_ipv4 == null])
    error_message = "databases and endpoints are reached from groups, never from addresses"
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.target) == ["etl-endpoints", "etl-source_db", "serve-endpoints", "serve-vector_db", "train-endpoints"]
    error_message = "each program connects to its own databases only"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.glue_self) == 0
    error_message = "without Glue nothing connects to a program"
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.external_source) == 0
    error_message = "nothing leaves the network unless asked"
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "all traffic must be logged"
  }
}

run "only_the_services_that_are_called" {
  command = plan

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "kinesis-firehose", "logs", "secretsmanager"])
    error_message = "each endpoint costs by the hour: no program calls another service"
  }

  assert {
    condition     = length(aws_internet_gateway.this) == 0 && length(aws_vpc_security_group_egress_rule.internet) == 0
    error_message = "there is no way to the internet"
  }

  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : jsondecode(e.policy).Statement[0].Condition.StringEquals["aws:PrincipalAccount"] == "123456789012"])
    error_message = "an endpoint admits principals of this account only"
  }

  assert {
    condition     = jsondecode(aws_vpc_endpoint.s3.policy).Statement[0].Condition.StringEquals["aws:ResourceAccount"] == "123456789012"
    error_message = "the gateway reaches buckets of this account only"
  }
}

run "glue" {
  command = plan

  variables {
    glue         = true
    public_tasks = true
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["glue", "kinesis-firehose", "logs", "monitoring", "secretsmanager"])
    error_message = "Glue runs in the private subnets, and needs its endpoints"
  }
}

run "public_tasks" {
  command = plan

  variables {
    public_tasks   = true
    endpoint_zones = 1
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["kinesis-firehose"] && length(aws_subnet.public) == 2
    error_message = "the tasks reach AWS's services by their public address"
  }

  assert {
    condition     = length(local.endpoint_subnet_ids) == 1
    error_message = "the endpoint is in one zone"
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.internet) == ["etl", "train"] && alltrue([for r in aws_vpc_security_group_egress_rule.internet : r.from_port == 443 && r.to_port == 443]) && alltrue([for r in aws_vpc_security_group_ingress_rule.target : r.cidr_ipv4 == null])
    error_message = "only HTTPS of tasks leaves, and nothing enters"
  }
}

run "external_source" {
  command = plan

  variables {
    external_source = { cidr = "10.9.0.0/24", port = 3306 }
  }

  assert {
    condition     = { for program, r in aws_vpc_security_group_egress_rule.external_source : program => r.cidr_ipv4 } == { etl = "10.9.0.0/24" }
    error_message = "who reads the shop reaches the outer database"
  }
}

run "refuses_one_zone" {
  command = plan

  variables {
    availability_zones = ["eu-west-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "refuses_a_small_range" {
  command = plan

  variables {
    cidr_block = "10.0.0.0/28"
  }

  expect_failures = [var.cidr_block]
}

run "refuses_the_internet" {
  command = plan

  variables {
    external_source = { cidr = "0.0.0.0/0", port = 3306 }
  }

  expect_failures = [var.external_source]
}

run "sessions_have_an_endpoint" {
  command = plan

  variables {
    sessions = true
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "ssmmessages")
    error_message = "a task in a private subnet takes sessions by an endpoint"
  }
}

run "public_tasks_need_no_endpoint_for_sessions" {
  command = plan

  variables {
    sessions     = true
    public_tasks = true
  }

  assert {
    condition     = !contains(keys(aws_vpc_endpoint.interface), "ssmmessages")
    error_message = "a task with a public address reaches the service itself"
  }
}
