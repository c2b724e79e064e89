locals {
  # Glue, Lambda and Fargate have no NAT gateway. They reach only the AWS services with an endpoint
  # here. Tasks with a public address need none.
  interface_services = setunion(
    ["kinesis-firehose"],
    var.put_events ? ["kinesis-streams"] : [],
    var.public_tasks ? [] : ["ecr.api", "ecr.dkr", "logs", "secretsmanager"],
    var.sessions && !var.public_tasks ? ["ssmmessages"] : [],
    var.glue ? ["glue", "logs", "monitoring", "secretsmanager"] : [],
  )

  endpoint_subnet_ids = slice([for s in aws_subnet.private : s.id], 0, min(var.endpoint_zones, length(aws_subnet.private)))

  own = { StringEquals = { "aws:PrincipalAccount" = var.account_id } }

  # Where AWS keeps the layers of ECR's images (ECR user guide, vpc-endpoints), and Glue its own files.
  aws_objects = concat(["arn:${data.aws_partition.current.partition}:s3:::prod-${var.region}-starport-layer-bucket/*"],
  var.glue ? ["arn:${data.aws_partition.current.partition}:s3:::aws-glue-*/*"] : [])
}

data "aws_partition" "current" {}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = { for i, az in var.availability_zones : az => i }

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.cidr_block, 4, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# Where tasks run that have a public address. Only they use the way to the internet: the functions and the
# databases are in the private subnets.
resource "aws_internet_gateway" "this" {
  count = var.public_tasks ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = { for i, az in var.availability_zones : az => i if var.public_tasks }

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.cidr_block, 4, 8 + each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count = var.public_tasks ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  count = var.public_tasks ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = { for program, p in var.programs : program => p if p.task && var.public_tasks }

  security_group_id = aws_security_group.program[each.key].id
  description       = "Services of AWS, by the public address of a task"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([aws_route_table.private.id], aws_route_table.public[*].id)

  # By this endpoint nobody reaches the buckets of another account.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "OwnBuckets", Effect = "Allow", Principal = "*", Action = "s3:*", Resource = "*", Condition = { StringEquals = merge(local.own.StringEquals, { "aws:ResourceAccount" = var.account_id }) } },
      { Sid = "FilesOfAWS", Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = local.aws_objects },
    ]
  })

  tags = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_services

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.endpoint_subnet_ids
  security_group_ids  = [aws_security_group.endpoints.id]

  # Only with credentials of this account.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "OwnPrincipals", Effect = "Allow", Principal = "*", Action = "*", Resource = "*", Condition = local.own }]
  })

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints, reached from the workloads only"
  vpc_id      = aws_vpc.this.id
}

# Each program connects only to what it uses.
resource "aws_security_group" "program" {
  # checkov:skip=CKV2_AWS_5:Attached in the modules of the programs. checkov does not follow module outputs.
  for_each = var.programs

  name        = "${var.name}-${each.key}"
  description = "The program ${each.key}; nothing connects to it"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "source_db" {
  # checkov:skip=CKV2_AWS_5:Attached in the database module.
  name        = "${var.name}-source-db"
  description = "MySQL source, reached from the workloads only"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "vector_db" {
  # checkov:skip=CKV2_AWS_5:Attached in the database module.
  name        = "${var.name}-vector-db"
  description = "PostgreSQL with pgvector, reached from the workloads only"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "glue_self" {
  # checkov:skip=CKV_AWS_24:The source is this group itself, not an address. Glue requires all TCP ports within the group.
  # checkov:skip=CKV_AWS_25:See CKV_AWS_24.
  # checkov:skip=CKV_AWS_260:See CKV_AWS_24.
  count = var.glue ? 1 : 0

  security_group_id            = aws_security_group.program["etl"].id
  description                  = "Glue workers of one job run"
  referenced_security_group_id = aws_security_group.program["etl"].id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "glue_self" {
  count = var.glue ? 1 : 0

  security_group_id            = aws_security_group.program["etl"].id
  description                  = "Glue workers of one job run"
  referenced_security_group_id = aws_security_group.program["etl"].id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = var.programs

  security_group_id = aws_security_group.program[each.key].id
  description       = "S3 by the gateway endpoint"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

locals {
  targets = {
    endpoints = { port = 443, group = aws_security_group.endpoints.id, description = "AWS interface endpoints" }
    source_db = { port = 3306, group = aws_security_group.source_db.id, description = "MySQL source" }
    vector_db = { port = 5432, group = aws_security_group.vector_db.id, description = "PostgreSQL vectors" }
  }
  connections = merge([for program, p in var.programs : {
    for target in setunion(["endpoints"], p.databases) : "${program}-${target}" => merge(local.targets[target], { program = program })
  }]...)
}

resource "aws_vpc_security_group_egress_rule" "program" {
  for_each = local.connections

  security_group_id            = aws_security_group.program[each.value.program].id
  description                  = each.value.description
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "target" {
  for_each = local.connections

  security_group_id            = each.value.group
  description                  = "From ${each.value.program}"
  referenced_security_group_id = aws_security_group.program[each.value.program].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# For a source database outside this network. This only allows the connection: you connect the
# networks, by peering or a VPN.
resource "aws_vpc_security_group_egress_rule" "external_source" {
  for_each = { for program, p in var.programs : program => p if contains(p.databases, "source_db") && var.external_source != null }

  security_group_id = aws_security_group.program[each.key].id
  description       = "MySQL source outside this network"
  cidr_ipv4         = var.external_source.cidr
  ip_protocol       = "tcp"
  from_port         = var.external_source.port
  to_port           = var.external_source.port
}

resource "aws_cloudwatch_log_group" "flow" {
  name              = "/vpc/${var.name}/flow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "flow_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "flow" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }

  statement {
    actions   = ["logs:DescribeLogGroups"] # takes no resource
    resources = ["*"]
  }
}

resource "aws_iam_role" "flow" {
  name                 = "${var.name}-flow-logs"
  assume_role_policy   = data.aws_iam_policy_document.flow_assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "flow" {
  name   = "write-flow-logs"
  role   = aws_iam_role.flow.id
  policy = data.aws_iam_policy_document.flow.json
}

resource "aws_flow_log" "this" {
  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  iam_role_arn    = aws_iam_role.flow.arn
  log_destination = aws_cloudwatch_log_group.flow.arn
}
