import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, freePort, startDaemon } from './daemon.mjs'

/*
 * nginx with `proxy_cache`, set up for speed: one worker, files sent by the kernel and kept open, no log.
 */

const configuration = ({ dir, port, origin, bytes }) => `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${dir}/pid;
error_log ${dir}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 1d;
  open_file_cache max=50000 inactive=1d;
  open_file_cache_valid 1d;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  proxy_cache_path ${dir}/cache levels=1:2 keys_zone=bench:64m max_size=${bytes} inactive=1d use_temp_path=off;
  upstream origin { server ${new URL(origin).host}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_cache bench;
      proxy_cache_key "$request_uri $http_host";
      proxy_cache_lock on;
      add_header Via "1.1 nginx";
      add_header Cache-Status "nginx; $upstream_cache_status";
    }
  }
}
`

export const nginx = {
  name: 'nginx',
  find: () => findProgram('nginx'),
  install: 'apt-get install -y nginx-light',
  /** @param {{ origin: string, dir: string, bytes: number, wrap: readonly string[] }} how */
  async start({ origin, dir, bytes, wrap }) {
    mkdirSync(dir)
    const port = await freePort()
    const file = join(dir, 'nginx.conf')
    writeFileSync(file, configuration({ dir, port, origin, bytes }))
    return startDaemon({
      name: this.name,
      command: [...wrap, this.find(), '-e', join(dir, 'error.log'), '-p', dir, '-c', file],
      url: `http://127.0.0.1:${port}`,
    })
  },
}
