terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.47"
    }
  }

  backend "local" {}
}

# The endpoint comes from tflocal's override file, or from AWS_ENDPOINT_URL. There are no
# default_tags, because LocalStack 4.14 answers 500 to DescribeAlarms once an alarm has a tag. There
# are few retries, because a call that LocalStack does not support would hang for minutes.
provider "aws" {
  region              = local.settings.region
  allowed_account_ids = [local.settings.account_id]
  max_retries         = 2
}
