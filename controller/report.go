package controller

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// maxListed bounds how many objects a drift event lists.
const maxListed = 20

// reporter turns the results of one target's loop into confirmed revisions, events, logs and metrics.
type reporter[K comparable, V any] struct {
	h      *host
	target string
	log    *logrus.Entry
	text   func(K, V) string
	object func(V) string // the API object that caused it, "port/<id>"; empty if it is of none
	failed int            // passes that failed since the last that did not
	rev    uint64         // confirmed last; 0 before the first pass
}

func newReporter[K comparable, V any](h *host, target string, log *logrus.Entry, text func(K, V) string, object func(V) string) *reporter[K, V] {
	return &reporter[K, V]{h: h, target: target, log: log, text: text, object: object}
}

// report is called by the loop's goroutine, once a pass.
func (r *reporter[K, V]) report(res reconcile.Result[K, V]) {
	if errors.Is(res.Err, errNoPlan) || errors.Is(res.Err, errNotPlanned) {
		return
	}
	r.h.c.board.confirmed(r.h.name, r.target, res.Rev, res.Err)
	if res.Err != nil {
		r.failure(res)
		return
	}
	if r.failed > 0 {
		r.append(event.ReconcileRecovered{Target: r.target, Failed: r.failed})
		r.log.WithField("failed", r.failed).Info("reconciled again")
		r.failed = 0
	}
	from := r.rev
	r.rev = res.Rev
	if !res.Checked {
		return
	}
	r.metrics(res)
	if res.Change.Empty() {
		return
	}
	log := r.log.WithFields(logrus.Fields{"rev": res.Rev, "added": len(res.Change.Add), "updated": len(res.Change.Update),
		"deleted": len(res.Change.Delete), "took": res.Duration.Round(time.Microsecond).String()})
	if !res.Drift.Empty() {
		r.append(r.drift(res.Drift))
		log.WithField("drift", res.Drift.Len()).Warn("altered by others; repaired")
	}
	r.append(event.Reconciled{Target: r.target, Rev: res.Rev, From: from, Added: len(res.Change.Add), Updated: len(res.Change.Update),
		Deleted: len(res.Change.Delete), Millis: res.Duration.Milliseconds()})
	log.Info("reconciled")
}

// failure logs the first failure of a row of them.
func (r *reporter[K, V]) failure(res reconcile.Result[K, V]) {
	r.metrics(res)
	r.failed++
	if r.failed > 1 {
		return
	}
	e := event.ReconcileFailed{Target: r.target, Cause: res.Err.Error()}
	log := r.log.WithError(res.Err)
	var refused *ofconn.RefusedError
	if errors.As(res.Err, &refused) && refused.Known {
		e.Flow, e.Object = refused.Flow.String(), r.h.c.cause(refused.Flow.Cookie)
		log = log.WithFields(logrus.Fields{"flow": e.Flow, "object": e.Object})
	}
	r.append(e)
	log.Warn("not reconciled; tried again")
}

func (r *reporter[K, V]) drift(d reconcile.Change[K, V]) event.Drift {
	e := event.Drift{Target: r.target, Missing: r.list(d.Add), Altered: r.list(d.Update), Foreign: r.list(d.Delete)}
	e.More = d.Len() - len(e.Missing) - len(e.Altered) - len(e.Foreign)
	e.Objects = r.objects(d.Add, d.Update, d.Delete)
	return e
}

// objects names what caused some things, each once and in order.
func (r *reporter[K, V]) objects(changes ...map[K]V) []string {
	seen := map[string]bool{}
	for _, things := range changes {
		for _, v := range things {
			if o := r.object(v); o != "" && len(seen) < maxListed {
				seen[o] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (r *reporter[K, V]) list(objects map[K]V) []string {
	var out []string
	for k, v := range objects {
		if len(out) == maxListed {
			break
		}
		out = append(out, r.text(k, v))
	}
	slices.Sort(out)
	return out
}

func (r *reporter[K, V]) append(b event.Body) { r.h.c.cfg.Events.Append(r.h.name, b) }

func (r *reporter[K, V]) metrics(res reconcile.Result[K, V]) {
	r.h.c.cfg.Metrics.Pass(r.h.name, r.target, res.Duration, len(res.Change.Add), len(res.Change.Update), len(res.Change.Delete), res.Drift.Len(), res.Err)
}

func flowText(k of.Key, e wire.Entry) string {
	f, err := wire.Unpack(k, e)
	if err != nil {
		return "flow that cannot be read: " + err.Error()
	}
	return f.String()
}

func rowText(k row.Key, _ row.Row) string { return k.String() }

// rowObject names the port that a tag is of.
func rowObject(r row.Row) string {
	if tag, is := r.(row.Tag); is && tag.IfaceID != "" {
		return "port/" + tag.IfaceID
	}
	return ""
}

// cause names the object that a flow's cookie tells of, "network/<id>" or "port/<id>"; empty if the
// flow is the pipeline's own, learned, or of an object that is gone.
func (c *Controller) cause(cookie of.Cookie) string {
	return objectOf(c.cfg.Store.Snapshot(), cookie)
}
