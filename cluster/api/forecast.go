package api

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/forecast"
	pb "quorate/proto/quorate/v1"
)

// forecast says what the cluster would do about the draft.
func (d *draft) forecast() *pb.Forecast {
	return forecast.Change(d.base, d.state, d.edits, d.at)
}

// shown is how many interruptions a refusal tells of.
const shown = 10

// mayInterrupt refuses a draft that interrupts what it does not name. The
// refusal holds a Forecast with the interruptions.
func (d *draft) mayInterrupt() error {
	list := d.forecast().Interruptions
	if len(list) == 0 {
		return nil
	}
	if more := len(list) - shown; more > 0 {
		list = append(list[:shown:shown], fmt.Sprintf("and %d more", more))
	}
	problem := "this change interrupts what it does not name: " + strings.Join(list, "; ")
	refused := status.Convert(fail(codes.FailedPrecondition, ReasonInterrupts, problem,
		keyProblem, problem, keyFix, "--dry-run shows all of it, --force does it"))
	if detailed, err := refused.WithDetails(&pb.Forecast{Interruptions: list}); err == nil {
		refused = detailed
	}
	return refused.Err()
}
