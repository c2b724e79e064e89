terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.47"
    }
  }

  # Bucket, key and region come by -backend-config: one bucket per account, one key per environment.
  # S3 itself holds the lock.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
  max_retries         = var.max_retries

  default_tags {
    tags = {
      Project     = var.name
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}

variable "max_retries" {
  description = "How often a failed request is retried. Set it low for an emulator: a call that the emulator does not support is repeated this often."
  type        = number
  default     = 25
}
