/** What is left to do once the system files are written, as commands to type. */
import { join } from 'node:path'
import { CADDY_SNIPPET } from '../deploy/caddy.ts'
import { NGINX_SNIPPET } from '../deploy/nginx.ts'
import { type Plan, SERVICE, SERVICE_USER } from '../deploy/plan.ts'

export function nextSteps(plan: Plan, etc: string): string[] {
  const copy = etc === '/etc' ? [] : [`Copy what is in ${etc} to /etc, as root.`]
  const service = [
    `id ${SERVICE_USER} || useradd --system --home-dir ${plan.state} --shell /usr/sbin/nologin ${SERVICE_USER}`,
    `chown -R ${SERVICE_USER}: ${plan.state}`,
    `systemctl daemon-reload && systemctl enable --now ${SERVICE}`,
  ]
  return [...copy, 'To put it in place, as root:', ...[...service, ...frontSteps(plan)].map((line) => `  ${line}`)]
}

function frontSteps({ kind, domain, acme }: Plan): string[] {
  if (kind === 'none' && acme) return [`open ports 80 and 443: ${domain} must lead here, or there is no certificate`]
  if (kind === 'none')
    return [`certbot certonly --standalone -d ${domain}   # where the certificate is to be renewed by it`]
  if (kind === 'caddy') {
    return [
      `add to the Caddyfile:  import ${CADDY_SNIPPET}`,
      `and for a new website: import ${SERVICE}-site.caddy   # in a website you have: route { import sotto ... }`,
      'systemctl reload caddy',
    ]
  }
  return [
    `a new website:         certbot certonly --webroot -w /var/www/html -d ${domain}`,
    `                       ln -s ${join('..', 'sites-available', SERVICE)} /etc/nginx/sites-enabled/${SERVICE}`,
    `a website you have:    include ${NGINX_SNIPPET};   # in its server block`,
    'nginx -t && systemctl reload nginx',
  ]
}
