import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A page that needs nothing from anywhere else, and the policy that keeps it from asking. */
export interface Page {
  readonly html: string
  readonly policy: string
}

/** What `npm run build:ts` makes of `page/`. As far from here as from what is built of this file. */
const BUILT = new URL('../../../dist/dashboard.html', import.meta.url)

export function readPage(): Page {
  const html = readFileSync(BUILT, 'utf8')
  return { html, policy: policyOf(html) }
}

/** What a browser asks a person for who has no session yet. */
export function loginPage(isWrong: boolean): Page {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>drey: token</title>
<link rel="icon" href="data:,">
<style>${LOGIN_STYLE}</style>
</head>
<body>
<main>
<h1>drey</h1>
<form method="post">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus${isWrong ? ' aria-invalid="true" aria-describedby="wrong"' : ''}>
<button>Look</button>
${isWrong ? '<p id="wrong" role="alert">That is not the token.</p>' : ''}
</form>
</main>
</body>
</html>
`
  return { html, policy: policyOf(html) }
}

const LOGIN_STYLE = `
:root { color-scheme: dark; }
body { margin: 0; background: #000; color: #c8d2c8; font: 15px/1.6 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
main { max-width: 26rem; margin: 18vh auto 0; padding: 0 1.25rem; }
h1 { color: #00ff00; font-size: 1.5rem; margin: 0 0 1rem; }
label { display: block; margin-bottom: .5rem; }
input, button { box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .75rem; border: 1px solid #2f3b2f; border-radius: 3px; background: #0a0d0a; color: inherit; }
button { margin-top: .75rem; border-color: #00ff00; color: #00ff00; cursor: pointer; }
:focus-visible { outline: 2px solid #00ff00; outline-offset: 2px; }
#wrong { color: #ff4d4d; }
`

/** Its own scripts and styles alone, by what they are; events of its own server; and nobody's frame. */
function policyOf(html: string): string {
  const [scripts, styles] = [hashes(html, 'script'), hashes(html, 'style')]
  return [
    "default-src 'none'",
    ...(scripts === '' ? [] : [`script-src ${scripts}`]),
    `style-src ${styles}`,
    'img-src data:',
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function hashes(html: string, tag: 'script' | 'style'): string {
  const found = html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))
  return Array.from(
    found,
    ([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`,
  ).join(' ')
}
