package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/scale"
)

func (a *app) scaleCommand() *cobra.Command {
	var factors, format string
	o := scale.Options{}
	c := &cobra.Command{
		Use:   "scale",
		Short: "Rehearse a country in compressed time, to see what this machine can carry",
		Long: `Rehearse a country on this machine: 10,000 facilities, 1,000 forms in the peak minute, 240,000 a
day, an export of a million rows every night, and an outage of a week. A run of its own works
against a DHIS2 look-alike beside it; a day takes as long as the machine needs for its forms and
rows. It prints how fast forms are kept and delivered, how much waits, and memory and disk, and
fails when a record is lost or doubled. --factor makes the country smaller: 1% takes a minute,
100% an hour and 10 GB of memory, most of it for the look-alike.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format is text or json, not %q", format)
			}
			var err error
			if o.Factors, err = factorsOf(factors); err != nil {
				return err
			}
			if o.Program, err = os.Executable(); err != nil {
				return fmt.Errorf("find the program itself: %w", err)
			}
			if o.Days < 1 || o.Days > 366 || o.Outage < 0 || o.Outage > 366 || o.Peak < time.Second {
				return fmt.Errorf("--days is 1 to 366, --outage 0 to 366, --peak a second or more")
			}
			o.Out = a.stderr
			results, err := scale.Run(c.Context(), o)
			if err != nil {
				return err
			}
			if format == "json" {
				return scale.JSON(a.stdout, results)
			}
			return scale.Report(a.stdout, results)
		},
	}
	f := c.Flags()
	f.StringVar(
		&factors,
		"factor",
		"1%",
		"how large the country is, in percent of a whole one; several with commas: 1%,10%",
	)
	f.IntVar(&o.Days, "days", 3, "working days before the outage")
	f.IntVar(&o.Outage, "outage", 7, "days that DHIS2 is away; 0: none")
	f.DurationVar(&o.Peak, "peak", time.Minute, "how long forms come at the rate of the peak, in their own time")
	f.DurationVar(&o.Latency, "latency", 0, "how long the DHIS2 look-alike takes for each answer besides")
	f.StringVar(&o.Dir, "into", "culvert-scale", "folder for the projects; emptied first if an earlier rehearsal made it")
	f.StringVar(&format, "format", "text", "text or json")
	return c
}

// factorsOf reads shares of a whole country: 1%,10%.
func factorsOf(text string) (list []float64, err error) {
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(part), "%"), 64)
		if err != nil || !(n > 0 && n <= 1000) {
			return nil, fmt.Errorf("--factor is a share of a country in percent such as 10%%, not %q", part)
		}
		list = append(list, n/100)
	}
	return list, nil
}
