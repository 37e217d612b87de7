// Package scale rehearses a country in compressed time: a runner of its own process, a DHIS2
// look-alike with the country's facilities, forms by webhook, nightly exports, and an outage of a
// week. It measures from outside, as an operator would: answers, /metrics, and the disk.
package scale
