package envconfig

// Memory says whether the live version's products are kept in the memory of what answers.
type Memory struct {
	// Artifacts is where the files of model versions are. Empty: the vector database answers everything.
	Artifacts string `name:"artifacts" env:"ARTIFACTS_BUCKET" envDefault:"" placeholder:"BUCKET" help:"The store of model versions, as a bucket, s3://bucket/prefix or file:///folder: what answers loads the live version's products from there into memory. Default: the vector database answers everything."`
	// Share is of the memory that the process has: the versions in memory may take so much of it.
	Share float64 `name:"memory-share" env:"MEMORY_SHARE" envDefault:"0.5" default:"0.5" placeholder:"SHARE" help:"How much of the process's memory the products of the versions that answer may take, from 0 to 0.9. 0: the vector database answers everything. The memory is that of the function, else GOMEMLIMIT, else the container's limit, else 2 GiB."`
}
