/** Real programs as edges. */
import type { Scenario } from '../scenario.ts'

export const proxies: readonly Scenario[] = [
  { name: 'nginx', what: 'nginx as an edge, with its own settings', box: { kind: 'nginx', directives: '' } },
  {
    name: 'nginx-caching-4s',
    what: 'nginx that caches whatever it may, and waits 4 s for an answer',
    box: {
      kind: 'nginx',
      directives: 'proxy_cache edge; proxy_cache_valid 500 502 503 504 1m; proxy_read_timeout 4s;',
    },
    template: 'beacon',
    count: 4,
    everyMs: 4_500,
  },
  {
    name: 'nginx-small-bodies',
    what: 'nginx that takes requests up to 8 kB',
    box: { kind: 'nginx', directives: 'client_max_body_size 8k;' },
    letters: 3_500,
    everyMs: 20,
    names: ['E_NET_SIZE'],
  },
  { name: 'haproxy', what: 'HAProxy as an edge, with its own settings', box: { kind: 'haproxy', directives: '' } },
  {
    name: 'haproxy-retries',
    what: 'HAProxy that repeats what failed, and waits 4 s for an answer',
    box: { kind: 'haproxy', directives: 'retries 3\n  retry-on all-retryable-errors\n  timeout server 4s' },
    count: 4,
    everyMs: 4_500,
  },
  { name: 'caddy', what: 'Caddy as an edge, with its own settings', box: { kind: 'caddy', directives: '' } },
  {
    name: 'caddy-retries',
    what: 'Caddy that repeats what failed',
    box: { kind: 'caddy', directives: 'lb_try_duration 3s\n\t\tlb_retries 2' },
    template: 'beacon',
  },
  {
    name: 'varnish',
    what: 'Varnish as an edge, with its own rules of caching',
    box: { kind: 'varnish', directives: '' },
  },
  {
    name: 'varnish-get',
    what: 'the same, with a template of GET only',
    box: { kind: 'varnish', directives: '' },
    template: 'beacon',
  },
  {
    name: 'varnish-keeps-all',
    what: 'Varnish that keeps every answer for ten minutes, whatever it says of itself',
    box: {
      kind: 'varnish',
      directives: 'sub vcl_backend_response { unset beresp.http.set-cookie; set beresp.ttl = 10m; return (deliver); }',
    },
    template: 'beacon',
  },
]
