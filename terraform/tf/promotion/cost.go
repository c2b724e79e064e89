package promotion

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// hours are those of a month, by which AWS's pages count.
const hours = 730

// priceTable is what one unit costs in US dollars, by region.
type priceTable struct {
	Date, Source string
	Regions      map[string]prices
}

type prices struct {
	EndpointHour  float64 `json:"endpoint_hour"` // per zone
	MicroHour     float64 `json:"micro_hour"`    // db.t4g.micro; each larger size of the family doubles it
	MLargeHour    float64 `json:"m_large_hour"`  // db.m8g.large
	RLargeHour    float64 `json:"r_large_hour"`  // db.r8g.large
	StorageGiB    float64 `json:"storage_gib"`   // gp3 of RDS, per month
	ShardHour     float64 `json:"shard_hour"`
	StreamHour    float64 `json:"on_demand_stream_hour"`
	VCPUHour      float64 `json:"vcpu_hour"` // Fargate on ARM
	MemoryGiBHour float64 `json:"memory_gib_hour"`
}

//go:embed prices.json
var pricesFile []byte

// defaultPrices is the region whose prices stand for those of a region that the table does not have.
const defaultPrices = "eu-west-1"

// everywhere are prices per month that are the same in each region.
func everywhere() map[string]float64 {
	return map[string]float64{"aws_kms_key": 1, "aws_secretsmanager_secret": 0.4, "aws_cloudwatch_metric_alarm": 0.1,
		"aws_cloudwatch_composite_alarm": 0.5, "aws_cloudwatch_dashboard": 3,
		"aws_wafv2_web_acl": 6} // with its one rule
}

// Cost is what an environment costs per month in US dollars when nobody uses it.
type Cost struct {
	Lines map[string]float64 // by type of resource, and tasks that run by a schedule
	Total float64
	Note  string // whose prices these are
}

// AtRest reads `terraform show -json PLAN`, of an environment in a region. Costs by use, such as requests and
// stored data, are not included.
func AtRest(plan []byte, region string) (Cost, error) {
	resources, err := Planned(plan)
	if err != nil {
		return Cost{}, err
	}
	var outputs struct {
		Planned struct {
			Outputs struct {
				Zones struct{ Value float64 } `json:"endpoint_zones"`
			}
		} `json:"planned_values"`
	}
	var table priceTable
	if err := cmp.Or(json.Unmarshal(plan, &outputs), json.Unmarshal(pricesFile, &table)); err != nil {
		return Cost{}, fmt.Errorf("read plan and prices: %w", err)
	}
	p, known := table.Regions[region]
	c := Cost{Lines: map[string]float64{}, Note: fmt.Sprintf("%s, of %s", table.Source, table.Date)}
	if !known {
		p, c.Note = table.Regions[defaultPrices], c.Note+"; of "+defaultPrices+", because there are none of "+region
	}
	for _, r := range resources {
		if r.Mode != "managed" {
			continue
		}
		price := p.of(r, outputs.Planned.Outputs.Zones.Value)
		if r.Type == "aws_db_instance" { // RDS keeps the password in a secret of its own
			c.Lines["secretsmanager_secret"] += everywhere()["aws_secretsmanager_secret"]
		}
		if price > 0 {
			c.Lines[strings.TrimPrefix(r.Type, "aws_")] += price
		}
	}
	for _, line := range c.Lines {
		c.Total += line
	}
	return c, nil
}

// taskHour is what a task on Fargate costs per hour in US dollars, by its CPUs and GiB.
func taskHour(region string, cpus, gib float64) float64 {
	var table priceTable
	if json.Unmarshal(pricesFile, &table) != nil {
		return 0 // a test reads the file
	}
	p, known := table.Regions[region]
	if !known {
		p = table.Regions[defaultPrices]
	}
	return p.task(cpus, gib)
}

// task is what a task costs per hour.
func (p prices) task(cpus, gib float64) float64 { return cpus*p.VCPUHour + gib*p.MemoryGiBHour }

// String is a line for each type, and the total.
func (c Cost) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Lines)) {
		fmt.Fprintf(&b, "%8.1f %s\n", c.Lines[name], name)
	}
	fmt.Fprintf(&b, "%8.0f USD a month\n", c.Total)
	return b.String()
}

// of is what a resource costs per month. zones are those of an interface endpoint.
func (p prices) of(r Resource, zones float64) float64 {
	switch r.Type {
	case "aws_vpc_endpoint":
		if r.Values["vpc_endpoint_type"] == "Interface" {
			return p.EndpointHour * hours * zones
		}
	case "aws_kinesis_stream":
		if shards, _ := r.Values["shard_count"].(float64); shards > 0 {
			return p.ShardHour * hours * shards
		}
		return p.StreamHour * hours
	case "aws_db_instance":
		class, _ := r.Values["instance_class"].(string)
		gib, _ := r.Values["allocated_storage"].(float64)
		price := p.class(class)*hours + p.StorageGiB*gib
		if r.Values["multi_az"] == true {
			price *= 2
		}
		return price
	case "aws_scheduler_schedule":
		return p.scheduled(r)
	}
	return everywhere()[r.Type]
}

// class is the price per hour of an instance class.
func (p prices) class(class string) float64 {
	factor := MemoryGiB(class)
	switch {
	case strings.HasPrefix(class, "db.r"):
		return p.RLargeHour * factor / 8
	case strings.HasPrefix(class, "db.m"):
		return p.MLargeHour * factor / 8
	}
	return p.MicroHour * factor
}

// MemoryGiB is the memory of a burstable class (t) in GiB; a general one (m) has as much, one for memory (r) twice.
func MemoryGiB(class string) float64 {
	return max(1, map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32,
		"4xlarge": 64}[class[strings.LastIndex(class, ".")+1:]])
}

var everyMinutes = regexp.MustCompile(`^rate\((\d+) minutes?\)$`)

// scheduled is what a task costs that runs every few minutes: publish's half CPU and 2 GiB, for the minute that
// AWS bills at least, and half a minute to start. What runs once a night costs cents.
func (p prices) scheduled(r Resource) float64 {
	expression, _ := r.Values["schedule_expression"].(string)
	every := everyMinutes.FindStringSubmatch(expression)
	if every == nil {
		return 0
	}
	minutes, err := strconv.Atoi(every[1])
	if err != nil || minutes == 0 {
		return 0
	}
	return p.task(0.5, 2) * hours * 1.5 / float64(minutes)
}
