mock_provider "aws" {
  source = "../../mocks"
}

variables {
  erase_secret_arn       = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:erase-AbCdEf"
  name                   = "kindred-test"
  region                 = "eu-west-1"
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  lake_bucket            = { name = "lake", arn = "arn:aws:s3:::lake" }
  recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
  code_bucket            = { name = "code", arn = "arn:aws:s3:::code" }
  source_database        = { host = "h", port = 3306, name = "shop", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s" }
  task = {
    image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mock:0123456789ab"
    execution_role_arn = "arn:aws:iam::123456789012:role/mock"
    size               = { cpu = 2048, memory_mib = 8192, storage_gib = 50 }
  }
}

run "task" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : alltrue([for a in s.actions : !strcontains(a, "*")])])
    error_message = "exact actions only"
  }

  assert {
    condition     = length(module.task) == 1 && length(local.mapping) == 0 && length(local.preset) == 0
    error_message = "a shop of plain tables needs neither a mapping nor a preset"
  }

  assert {
    condition     = [for c in aws_glue_catalog_table.training_set["ratings"].storage_descriptor[0].columns : c.name][0] == "customernumber" && length(aws_glue_catalog_table.training_set["ratings"].storage_descriptor[0].columns) == 14
    error_message = "ratings keeps its 13 columns and the time"
  }
}

run "glue_reads_the_shop" {
  command = plan

  variables {
    task = null
    shop = { mapping_path = "main.tf" }
  }

  assert {
    condition     = length(module.task) == 0 && length(aws_s3_object.mapping) == 0 && output.task == null
    error_message = "there is one etl only"
  }
}

run "mapping" {
  command = plan

  variables {
    shop = { name = "books", mapping_path = "tests/etl.tftest.hcl" }
  }

  assert {
    condition     = local.mapping.ETL_MAPPING == "s3://code/${aws_s3_object.mapping[0].key}" && local.preset.SHOP_NAME == "books"
    error_message = "the task reads the mapping file's object"
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.this.statement : s.resources]), "arn:aws:s3:::code/etl/*")
    error_message = "the task may read it"
  }
}

run "preset" {
  command = plan

  variables {
    shop = { preset = "magento2", store = "2", live_version = "x" }
  }

  assert {
    condition     = local.preset == { ETL_PRESET = "magento2", ETL_STORE = "2", ETL_LIVE_VERSION = "x" }
    error_message = "the task gets what is given, and nothing else"
  }
}

run "refuses_a_bad_port" {
  command = plan

  variables {
    source_database = { host = "h", port = 0, name = "shop", secret_arn = "s" }
  }

  expect_failures = [var.source_database]
}

run "refuses_both" {
  command = plan

  variables {
    shop = { mapping_path = "main.tf", preset = "auto" }
  }

  expect_failures = [var.shop]
}

run "refuses_a_name_that_is_none" {
  command = plan

  variables {
    shop = { name = "my shop" }
  }

  expect_failures = [var.shop]
}

run "refuses_a_store_without_a_preset" {
  command = plan

  variables {
    shop = { store = "1" }
  }

  expect_failures = [var.shop]
}
