/** The system files of a gateway: for each front the ones it needs, with their places in `/etc`. Pure. */
import { CADDY_SNIPPET, caddySite, caddySnippet } from './caddy.ts'
import { NGINX_SNIPPET, nginxSite, nginxSnippet } from './nginx.ts'
import { type Plan, SERVICE } from './plan.ts'
import { nftablesText, renewalHook, systemdUnit } from './system.ts'

export interface SystemFile {
  /** From `/etc`, or from whatever stands for it. */
  readonly path: string
  readonly text: string
  readonly mode: number
}

const HOOK = `letsencrypt/renewal-hooks/deploy/${SERVICE}`

export function systemFiles(plan: Plan): SystemFile[] {
  const common = [
    { path: `systemd/system/${SERVICE}.service`, text: systemdUnit(plan), mode: 0o644 },
    { path: `nftables.d/${SERVICE}.nft`, text: nftablesText(plan), mode: 0o644 },
  ]
  if (plan.kind === 'nginx') {
    return [
      ...common,
      { path: `nginx/${NGINX_SNIPPET}`, text: nginxSnippet(plan), mode: 0o644 },
      { path: `nginx/sites-available/${SERVICE}`, text: nginxSite(plan), mode: 0o644 },
      { path: HOOK, text: renewalHook(plan), mode: 0o755 },
    ]
  }
  if (plan.kind === 'caddy') {
    return [
      ...common,
      { path: `caddy/${CADDY_SNIPPET}`, text: caddySnippet(plan), mode: 0o644 },
      { path: `caddy/${SERVICE}-site.caddy`, text: caddySite(plan), mode: 0o644 },
    ]
  }
  return plan.acme ? common : [...common, { path: HOOK, text: renewalHook(plan), mode: 0o755 }]
}

/** The file that decides what reaches the gateway; undefined where nothing stands in front. */
export function frontFile(plan: Plan): string | undefined {
  if (plan.kind === 'none') return undefined
  return plan.kind === 'nginx' ? `nginx/${NGINX_SNIPPET}` : `caddy/${CADDY_SNIPPET}`
}
