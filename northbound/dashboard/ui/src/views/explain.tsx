// The way of a packet that nobody sends: where it goes, and where it ends and why.
import { useState } from 'preact/hooks';
import { me, url } from '../api';
import { plural, title } from '../format';
import { useDocument } from '../live';
import { useNames } from '../names';
import { grouped } from '../path';
import { Code, Empty, FailureBox, Head, HostLink, ObjectLink, Pill, Skeleton, StatePill } from '../parts';
import { go, route, to } from '../router';
import type { Step, Trace } from '../types';
import { PathMap } from './pathmap';

const PROTOCOLS = ['icmp', 'tcp', 'udp', 'arp'];
const FIELDS = ['from', 'to', 'protocol', 'dst_port', 'src_port', 'src_ip', 'src_mac', 'dst_mac', 'state', 'rev'] as const;

export function ExplainView() {
  const query = route.value.query;
  const asked = Object.fromEntries(FIELDS.map((f) => [f, query.get(f) ?? '']));
  const ready = asked.from && asked.to;
  const doc = useDocument<Trace>(ready ? url('/v1/explain', asked) : '', { concerns: (e) => /^(changed|reconciled|drift|port_|host_|switch_)/.test(e.kind) });
  return (
    <>
      <Head title="Explain" sub="Where a packet would go; none is sent" />
      <Form key={location.search} asked={asked} />
      {!ready && <Empty title="Choose where a packet starts and where it should go">A port, by its name or id, and a port or an IP address. The answer names each table, tunnel, namespace and rule on the way.</Empty>}
      {ready && <FailureBox doc={doc} />}
      {ready && !doc.data && !doc.failure && <Skeleton rows={10} />}
      {doc.data && <Answer trace={doc.data} />}
    </>
  );
}

function Form({ asked }: { asked: Record<string, string> }) {
  const [form, setForm] = useState(asked);
  const names = useNames();
  const [more, setMore] = useState(['src_ip', 'src_mac', 'dst_mac', 'src_port', 'rev'].some((f) => asked[f]) || asked.state === 'actual');
  // What a person sees is a name; what the API takes is "port/ID".
  const label = (v: string): string => {
    const p = v.startsWith('port/') && names.ports.find((x) => x.id === v.slice(5));
    return p && p.name && names.ports.filter((x) => x.name === p.name).length === 1 ? p.name : v;
  };
  const resolve = (v: string): string => {
    const p = names.ports.filter((x) => x.name === v || x.id === v);
    return p.length === 1 ? `port/${p[0].id}` : v;
  };
  const submit = (e: Event): void => {
    e.preventDefault();
    const f: Record<string, string> = { ...form, from: resolve(form.from.trim()), to: resolve(form.to.trim()), protocol: form.protocol || 'icmp' };
    if (!['tcp', 'udp'].includes(f.protocol)) f.dst_port = f.src_port = '';
    go(url(to('explain'), f));
  };
  const field = (name: string, text: string, props: Record<string, unknown> = {}) => (
    <label class={name}>{text}<input value={name === 'from' || name === 'to' ? label(form[name]) : form[name]} autoComplete="off" spellcheck={false} {...props} onInput={(e) => setForm({ ...form, [name]: e.currentTarget.value })} /></label>
  );
  const ports = ['tcp', 'udp'].includes(form.protocol);
  return (
    <form class="explain" onSubmit={submit}>
      {field('from', 'From', { list: 'ports', placeholder: 'port name or port/ID', required: true, 'data-search': true })}
      {field('to', 'To', { list: 'ports', placeholder: 'port name, port/ID or IP address', required: true })}
      <label>Protocol<select value={form.protocol || 'icmp'} onChange={(e) => setForm({ ...form, protocol: e.currentTarget.value })}>{PROTOCOLS.map((p) => <option key={p} selected={p === (form.protocol || 'icmp')}>{p}</option>)}</select></label>
      {ports && field('dst_port', 'Port', { inputMode: 'numeric', placeholder: '80' })}
      {more && <>
        {ports && field('src_port', 'Source port', { inputMode: 'numeric' })}
        {field('src_ip', 'Source address', { placeholder: 'its own' })}
        {field('src_mac', 'Source MAC', { placeholder: 'its own' })}
        {field('dst_mac', 'Destination MAC', { placeholder: 'as a host would find it' })}
        {me.value?.admin && <label>Flows<select value={form.state || 'desired'} onChange={(e) => setForm({ ...form, state: e.currentTarget.value })}><option value="desired" selected={form.state !== 'actual'}>as they should be</option><option value="actual" selected={form.state === 'actual'}>as they are now</option></select></label>}
        {field('rev', 'Revision', { inputMode: 'numeric', placeholder: 'newest' })}
      </>}
      <span class="actions"><button type="submit" class="primary">Explain</button><button type="button" aria-expanded={more} onClick={() => setMore(!more)}>{more ? 'Less' : 'More'}</button></span>
      <datalist id="ports">{names.ports.map((p) => <option key={p.id} value={p.name && names.ports.filter((x) => x.name === p.name).length === 1 ? p.name : `port/${p.id}`}>{title(p)} {p.project_id}</option>)}</datalist>
    </form>
  );
}

function Answer({ trace }: { trace: Trace }) {
  const [reply, setReply] = useState(false);
  const shown = reply && trace.reply ? trace.reply : trace;
  const q = new URLSearchParams({ path: location.search.slice(1) });
  return (
    <>
      <section class={`verdict ${trace.verdict}`} role="status">
        <p class="lead"><StatePill state={trace.verdict} /> {trace.reason && <code>{trace.reason}</code>} {trace.message}</p>
        {trace.reply && <p><span class="dim">The answer:</span> <StatePill state={trace.reply.verdict} /> {trace.reply.reason && <code>{trace.reply.reason}</code>} {trace.reply.message}</p>}
        <p class="dim"><a href={`${to('topology')}?${q}`}>Show it on the topology</a>{trace.rev ? ` · ${trace.state === 'actual' ? 'flows as they are now' : 'flows as they should be'} at revision ${trace.rev}` : ''}</p>
        {trace.packet && <details><summary class="dim">The packet</summary><code>{trace.packet}</code></details>}
      </section>
      <PathMap steps={shown.steps} />
      {trace.reply && <div class="chips" role="group" aria-label="Direction"><button type="button" aria-pressed={!reply} onClick={() => setReply(false)}>The packet</button><button type="button" aria-pressed={reply} onClick={() => setReply(true)}>Its answer</button></div>}
      <ol class="steps">{grouped(shown.steps).map((g, i) => (
        <li key={i} class="host-group">
          <h2>{g.host ? <HostLink host={g.host} /> : 'outside'} <span class="dim">{plural(g.steps.length, 'step')}</span></h2>
          <ol>{g.steps.map((s) => <StepRow key={s.id} step={s} />)}</ol>
        </li>
      ))}</ol>
    </>
  );
}

function StepRow({ step: s }: { step: Step }) {
  const detail = s.text || s.packet;
  const head = <>
    <span class="kind">{s.kind}</span>
    <span class="where mono">{s.where}{s.table_name ? ` · ${s.table} ${s.table_name}` : ''}</span>
    <span class="says">{s.says}{s.reason && <> <Pill tone={s.kind === 'drop' ? 'bad' : 'info'}>{s.reason}</Pill></>}</span>
    {s.changed && s.changed.length > 0 && <span class="dim">sets {s.changed.join(', ')}</span>}
  </>;
  if (!detail && !s.object) return <li class={`step ${s.kind}`}><div class="line">{head}</div></li>;
  return (
    <li class={`step ${s.kind}`}>
      <details>
        <summary>{head}</summary>
        {s.text && <Code text={s.text} />}
        {s.packet && <p class="dim">then the packet is <code>{s.packet}</code></p>}
        {s.object && <p>because of <ObjectLink object={s.object} name={s.object_name} /></p>}
      </details>
    </li>
  );
}
