# The program etl as a Fargate task: the shop from MySQL to a training set. Its data sets are in the catalog
# of Glue, for Athena. modules/glue reads a shop that is too large for one task.

locals {
  training_set = "training-set" # internal/platform/envconfig.TrainingSetPrefix

  # Which shop it is, and how it is read: by a mapping file, by a preset with its variables, or by its tables
  # as they are.
  preset  = { for name, value in var.shop : name == "name" ? "SHOP_NAME" : "ETL_${upper(name)}" => value if value != null && name != "mapping_path" }
  mapping = { for object in aws_s3_object.mapping : "ETL_MAPPING" => "s3://${var.code_bucket.name}/${object.key}" }
}

resource "aws_glue_catalog_database" "lake" {
  name        = replace(var.name, "-", "_")
  description = "Training sets and recommendations of ${var.name}"
}

# For the whole account, and so with AWS's own key of Glue: this environment's key goes with the
# environment, and what it encrypted could not be read any more.
resource "aws_glue_data_catalog_encryption_settings" "this" {
  # checkov:skip=CKV_AWS_94:No connection has a password: each names a secret. The catalog is encrypted with AWS's own key.
  count = var.encrypt_catalog ? 1 : 0

  data_catalog_encryption_settings {
    connection_password_encryption {
      return_connection_password_encrypted = false
    }

    encryption_at_rest {
      catalog_encryption_mode = "SSE-KMS"
    }
  }
}

locals {
  # The columns of internal/lake/trainingset, in their order. Each run is a partition. The
  # projection is `injected`, because a run's name is a hash: a query must name the run that it
  # reads (CURRENT contains the newest).
  data_sets = {
    ratings = [
      ["customernumber", "int"], ["city", "string"], ["state", "string"], ["postalcode", "string"], ["country", "string"],
      ["creditlimit", "decimal(10,2)"], ["productcode", "string"], ["productline", "string"], ["productscale", "string"],
      ["quantityinstock", "int"], ["buyprice", "decimal(10,2)"], ["msrp", "decimal(10,2)"], ["productrating", "int"], ["ratedat", "timestamp"],
    ]
    customers = [
      ["customernumber", "int"], ["customername", "string"], ["city", "string"], ["state", "string"], ["postalcode", "string"],
      ["country", "string"], ["creditlimit", "decimal(10,2)"],
    ]
    products = [
      ["productcode", "string"], ["productname", "string"], ["productline", "string"], ["productscale", "string"],
      ["productvendor", "string"], ["quantityinstock", "int"], ["buyprice", "decimal(10,2)"], ["msrp", "decimal(10,2)"],
    ]
  }
}

resource "aws_glue_catalog_table" "training_set" {
  for_each = local.data_sets

  name          = each.key
  database_name = aws_glue_catalog_database.lake.name
  description   = "Training set: ${each.key}, one partition for each run"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.run.type"       = "injected"
    "storage.location.template" = "s3://${var.lake_bucket.name}/${local.training_set}/run=$${run}/${each.key}"
  }

  partition_keys {
    name = "run"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.lake_bucket.name}/${local.training_set}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value

      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}

resource "aws_glue_catalog_table" "recommendations" {
  name          = "recommendations"
  database_name = aws_glue_catalog_database.lake.name
  description   = "Delivered recommendations, one partition for each hour of delivery (UTC)"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "json"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "2026-01-01,NOW"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "projection.hour.type"        = "integer"
    "projection.hour.range"       = "0,23"
    "projection.hour.digits"      = "2"
    "storage.location.template"   = "s3://${var.recommendations_bucket.name}/recommendations/dt=$${dt}/hour=$${hour}"
  }

  partition_keys {
    name = "dt"
    type = "date"
  }

  partition_keys {
    name = "hour"
    type = "int"
  }

  storage_descriptor {
    location      = "s3://${var.recommendations_bucket.name}/recommendations/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
      parameters            = { "ignore.malformed.json" = "FALSE" }
    }

    dynamic "columns" {
      for_each = [
        ["session_id", "string"], ["customer_number", "string"], ["event_id", "string"], ["occurred_at", "string"],
        ["type", "string"], ["kind", "string"], ["product_code", "string"], ["recommendation_id", "string"],
        ["quantity", "string"], ["value", "string"], ["price", "string"],
        ["browse_history", "array<struct<product_code:string,quantity:string,in_shopping_cart:boolean,purchased:boolean>>"],
        ["recommended_items", "array<struct<id:string,score:double,because:string,explored:boolean,rank:int,propensity:double>>"],
        ["similar_items", "struct<product_code:string,similar_items:array<struct<id:string,distance:double>>>"],
        ["recommendation", "struct<id:string,event_id:string,shop:string,model_version:string,source:string,generated_at:string,latency_ms:double,unknown_products:int,unknown_customer:boolean,experiment:string,arm:string,stale:boolean,placement:string,query:string,cursor:string,position:struct<stream:string,shard:string,sequence_number:string,partition_key:string,arrived_at:string,sub_sequence_number:int>,crc32c:string>"],
      ]

      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}

# The key contains the hash of the content. A file is deleted after the task has been updated, so that the
# task never names a file that is gone.
resource "aws_s3_object" "mapping" {
  count = var.task == null || var.shop.mapping_path == null ? 0 : 1

  bucket      = var.code_bucket.name
  key         = "etl/${filesha256(var.shop.mapping_path)}/${basename(var.shop.mapping_path)}"
  source      = var.shop.mapping_path
  source_hash = filemd5(var.shop.mapping_path)
  kms_key_id  = var.kms_key_arn

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = var.shop.mapping_path == null ? [] : [1]

    content {
      sid       = "ReadMapping"
      actions   = ["s3:GetObject"]
      resources = ["${var.code_bucket.arn}/etl/*"]
    }
  }

  statement {
    sid       = "WriteTrainingSet"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.lake_bucket.arn}/${local.training_set}/*"]
  }

  # Who was erased, so that etl leaves them out. The folder of internal/platform/envconfig.
  statement {
    sid       = "ReadErased"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake_bucket.arn}/erased/*"]
  }

  statement {
    sid       = "ReadEraseSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.erase_secret_arn]
  }

  statement {
    sid       = "DeleteLeftovers"
    actions   = ["s3:DeleteObject"] # only runs that were killed or changed nothing, never CURRENT
    resources = ["${var.lake_bucket.arn}/${local.training_set}/run=*"]
  }

  # The whole bucket: without this right, S3 answers 403 instead of 404 for a first run's missing pointer.
  statement {
    sid       = "ListLake"
    actions   = ["s3:ListBucket"]
    resources = [var.lake_bucket.arn]
  }

  statement {
    sid       = "ReadSourcePassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.source_database.secret_arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = compact([var.kms_key_arn, var.source_database.secret_kms_key_arn])
  }
}

module "task" {
  source = "../task"
  count  = var.task == null ? 0 : 1

  permissions_boundary = var.permissions_boundary
  name                 = var.name
  program              = "etl"
  region               = var.region
  kms_key_arn          = var.kms_key_arn
  image                = var.task.image
  execution_role_arn   = var.task.execution_role_arn
  policy               = data.aws_iam_policy_document.this.json
  size                 = var.task.size

  # The server's certificate is checked with the authorities that the image holds; AWS's own are in the usual
  # folder.
  environment = merge(local.preset, local.mapping, {
    LAKE_BUCKET      = var.lake_bucket.name
    MYSQL_DSN        = "tcp(${var.source_database.host}:${var.source_database.port})/${var.source_database.name}?tls=true"
    MYSQL_SECRET_ARN = var.source_database.secret_arn
    ERASE_SECRET_ARN = var.erase_secret_arn
    SSL_CERT_FILE    = "/rds-ca.pem"
    SSL_CERT_DIR     = "/etc/ssl/certs"
  })
}
