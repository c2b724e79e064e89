# The provider's version for every machine. Checksums are left out on purpose: docs/deploy.md says
# why, and how to add them.
provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.47.1"
  constraints = "~> 6.47"
}
