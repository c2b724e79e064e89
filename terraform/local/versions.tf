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

# The endpoint comes from outside: tflocal's override file, or AWS_ENDPOINT_URL. No default_tags: LocalStack 4.14 answers 500 to
# DescribeAlarms as soon as an alarm has a tag. Few retries: a call that the emulator lacks would hang for minutes.
provider "aws" {
  region              = local.settings.region
  allowed_account_ids = [local.settings.account_id]
  max_retries         = 2
}
