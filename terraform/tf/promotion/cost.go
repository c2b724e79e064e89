package promotion

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Planned reads `terraform show -json PLAN` and returns the resources as they will be.
func Planned(plan []byte) (map[string]Resource, error) {
	var p struct {
		Planned json.RawMessage `json:"planned_values"`
	}
	if err := json.Unmarshal(plan, &p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	state, err := json.Marshal(map[string]json.RawMessage{"values": p.Planned})
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return Resources(state)
}

// prices returns, by type, what an unused resource costs per month in US dollars: rounded list prices
// in Ireland. Costs by use are not included.
func prices() map[string]float64 {
	return map[string]float64{
		"aws_kms_key": 1, "aws_secretsmanager_secret": 0.4, "aws_cloudwatch_metric_alarm": 0.1,
		"aws_cloudwatch_composite_alarm": 0.5,
		"aws_cloudwatch_dashboard":       3,
		"aws_vpc_endpoint":               8,    // per zone, if it is an interface
		"aws_wafv2_web_acl":              6,    // with its one rule
		"aws_kinesis_stream":             12.5, // per shard; on-demand mode costs 29
		// db.t4g.micro in one zone. Each larger size doubles the price, and so does a standby.
		"aws_db_instance": 12.5,
	}
}

// AtRest returns what the resources cost per month when nobody uses them, and a line for each type.
func AtRest(resources map[string]Resource) (total float64, lines string) {
	kinds := map[string]float64{}
	for _, r := range resources {
		price, known := prices()[r.Type]
		if r.Mode != "managed" || !known {
			continue
		}
		switch r.Type {
		case "aws_vpc_endpoint":
			if r.Values["vpc_endpoint_type"] != "Interface" {
				continue
			}
			price *= 2 // zones
		case "aws_kinesis_stream":
			shards, provisioned := r.Values["shard_count"].(float64)
			if !provisioned || shards == 0 {
				price = 29
			} else {
				price *= shards
			}
		case "aws_db_instance":
			class, _ := r.Values["instance_class"].(string)
			price = price*step(class) + 2.5 // 20 GiB
			if r.Values["multi_az"] == true {
				price *= 2
			}
			kinds["aws_secretsmanager_secret"] += prices()["aws_secretsmanager_secret"] // RDS keeps the password there
		}
		kinds[r.Type] += price
	}
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		total += kinds[kind]
		fmt.Fprintf(&b, "%8.1f %s\n", kinds[kind], strings.TrimPrefix(kind, "aws_"))
	}
	return total, b.String()
}

// step returns the price of an instance class as a multiple of micro's.
func step(class string) float64 {
	size := class[strings.LastIndex(class, ".")+1:]
	factor := map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32,
		"4xlarge": 64}[size]
	return max(factor, 1)
}
