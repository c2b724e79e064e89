data "aws_partition" "current" {}

locals {
  engine = {
    mysql = {
      version    = "8.4"
      family     = "mysql8.4"
      parameters = { require_secure_transport = "1", binlog_format = "ROW", slow_query_log = "0" } # row format, which change data capture needs; a slow query's text has values of customers
      logs       = ["error"]
    }
    postgres = {
      version    = "17"
      family     = "postgres17"
      parameters = { "rds.force_ssl" = "1", log_statement = "ddl", log_min_duration_statement = "250", log_parameter_max_length = "0", log_parameter_max_length_on_error = "0" } # a value may be a customer's
      logs       = ["postgresql", "upgrade"]
    }
  }[var.engine]

  # Performance Insights of RDS for MySQL needs a larger class (RDS user guide, USER_PerfInsights.Overview.Engines).
  insights = var.engine != "mysql" || !can(regex("^db\\.(t2|t3|t4g)\\.(micro|small)$", var.instance_class))
}

# Its id is another one in each environment that is created, so that the last snapshot of a deleted
# environment is not in the way of its successor's.
resource "terraform_data" "lifetime" {}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

# A new family makes a new group before the old one is deleted, so the family is part of the name.
resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-${replace(local.engine.family, ".", "-")}"
  description = "TLS required; what changes or is slow is logged"
  family      = local.engine.family

  dynamic "parameter" {
    for_each = local.engine.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "monitoring_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name                 = "${var.name}-monitoring"
  assume_role_policy   = data.aws_iam_policy_document.monitoring_assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# Otherwise RDS creates them itself. Then their logs never expire, and a destroy leaves them.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.engine.logs)

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = var.engine
  engine_version = local.engine.version
  instance_class = var.instance_class

  allocated_storage     = var.storage_gib
  max_allocated_storage = var.storage_gib * 5
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_name                             = var.database
  username                            = "kindred"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period     = 7
  copy_tags_to_snapshot       = true
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = true # only by a change of this module, which a person confirms
  deletion_protection         = var.deletion_protection
  skip_final_snapshot         = !var.deletion_protection
  final_snapshot_identifier   = "${var.name}-final-${terraform_data.lifetime.id}"

  enabled_cloudwatch_logs_exports       = local.engine.logs
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = local.insights
  performance_insights_kms_key_id       = local.insights ? var.kms_key_arn : null
  performance_insights_retention_period = local.insights ? 7 : null

  depends_on = [aws_cloudwatch_log_group.this]
}
