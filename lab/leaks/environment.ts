/** Variables of the environment that lead other programs elsewhere. */
const elsewhereProxy = 'http://198.51.100.7:3128'
export const environment: Readonly<Record<string, NodeJS.ProcessEnv>> = {
  'HTTPS_PROXY with NODE_USE_ENV_PROXY': { HTTPS_PROXY: elsewhereProxy, NODE_USE_ENV_PROXY: '1' },
  'https_proxy, small letters': { https_proxy: elsewhereProxy, NODE_USE_ENV_PROXY: '1' },
  'ALL_PROXY, SOCKS': { ALL_PROXY: 'socks5://198.51.100.7:1080', all_proxy: 'socks5://198.51.100.7:1080' },
  'NODE_OPTIONS: --use-env-proxy': {
    NODE_OPTIONS: '--use-env-proxy',
    HTTPS_PROXY: elsewhereProxy,
    HTTP_PROXY: elsewhereProxy,
  },
  'RES_OPTIONS, LOCALDOMAIN, HOSTALIASES': {
    RES_OPTIONS: 'use-vc',
    LOCALDOMAIN: 'leak.example.org',
    HOSTALIASES: '/dev/null',
  },
  NODE_TLS_REJECT_UNAUTHORIZED: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
}
