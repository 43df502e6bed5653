package engine

import (
	"slices"
	"strings"
)

// evalBlocks adds to a map what some blocks set in an environment ("Rules":
// "Using Rules to Control Resource Options"). What the map has already stays.
// The block with the greatest score wins, among equals the last one.
func (c *cluster) evalBlocks(blocks []Block, env ruleEnv, into map[string]string) {
	for _, b := range c.byPrecedence(blocks) {
		if b.Rule != nil && !c.ruleHolds(b.Rule, env) {
			continue
		}
		for _, v := range b.Values {
			if strings.EqualFold(v.Value, "#default") {
				delete(into, v.Name)
			} else if _, taken := into[v.Name]; !taken {
				into[v.Name] = v.Value
			}
		}
	}
}

// byPrecedence returns blocks in the order they win in.
func (c *cluster) byPrecedence(blocks []Block) []*Block {
	if len(blocks) == 0 {
		return nil
	}
	list := make([]*Block, len(blocks))
	for i := range blocks {
		list[len(blocks)-1-i] = &blocks[i]
	}
	if len(list) > 1 {
		slices.SortStableFunc(list, func(a, b *Block) int { return c.blockScore(b) - c.blockScore(a) })
	}
	return list
}

func (c *cluster) blockScore(b *Block) int {
	score, _ := c.parseScore(b.Score, 0)
	return score
}
