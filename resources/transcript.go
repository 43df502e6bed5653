package resources

import (
	"context"
	"io"
)

// A Transcript is what a person wants to see of one operation.
type Transcript struct {
	Output io.Writer // all that an agent's program says, as it says it; from one goroutine at a time
	Trace  bool      // each of its commands, too, if it can tell them
}

type transcriptKey struct{}

// WithTranscript returns a context in which an agent that runs programs tells what they
// say.
func WithTranscript(ctx context.Context, t *Transcript) context.Context {
	return context.WithValue(ctx, transcriptKey{}, t)
}

// TranscriptIn returns where to tell what programs say; nil: nowhere.
func TranscriptIn(ctx context.Context) *Transcript {
	t, _ := ctx.Value(transcriptKey{}).(*Transcript)
	return t
}
