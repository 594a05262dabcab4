import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DebianPrograms } from "./debian-programs.js";
import { frontConfig } from "./guide.js";
import type { Host } from "./hosts.js";
import { Service } from "./service.js";
import type { CertificateFiles } from "./small-internet.js";

/** nginx on a host, with these sections beside what every one has. `isUp` is asked until it serves. */
export function nginx(
  host: Host,
  programs: DebianPrograms,
  folder: string,
  sections: string,
  isUp: () => Promise<boolean>,
): Service {
  mkdirSync(folder, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((what) => `${what}_temp_path ${folder}/${what};`)
    .join("\n  ");
  const config = `load_module ${programs.nginxStream};
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
${sections.replaceAll("# temporary", temporary)}`;
  const file = join(folder, "nginx.conf");
  writeFileSync(file, config);
  const command = [...host.prefix, programs.nginx, "-e", "stderr", "-p", folder, "-c", file];
  return new Service({ label: "nginx", folder, command, env: programs.env, isUp });
}

interface HomeserverNames {
  /** Of the server. */
  readonly name: string;
  /** Where its well-known leads. */
  readonly host: string;
}

/** The file that the reverse proxy of a Synapse serves as its well-known. */
export function wellKnownFile(folder: string): string {
  return join(folder, ".well-known/matrix/server");
}

/**
 * The reverse proxy of a Synapse, as Synapse's documentation has it: TLS at the port of HTTPS, with well-known at the server's own name.
 * Clients of the tests come by plain HTTP.
 */
export function homeserverFront(
  host: Host,
  programs: DebianPrograms,
  folder: string,
  { name, host: delegate }: HomeserverNames,
  { certificate, key }: CertificateFiles,
): Service {
  const tls = `listen 443 ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};`;
  const proxy = `location / {
      proxy_pass http://127.0.0.1:8008;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Host $host:$server_port;
      proxy_http_version 1.1;
      proxy_read_timeout 600s;
      client_max_body_size 500m;
    }`;
  const sections = `http {
  access_log off;
  # temporary
  server {
    ${tls}
    server_name ${name};
    location = /.well-known/matrix/server {
      root ${folder};
      default_type application/json;
    }
  }
  server { ${tls} server_name ${delegate}; ${proxy} }
  server { listen 80; ${proxy} }
}
`;
  const wellKnown = wellKnownFile(folder);
  mkdirSync(dirname(wellKnown), { recursive: true });
  writeFileSync(wellKnown, JSON.stringify({ "m.server": `${delegate}:443` }));
  return nginx(host, programs, folder, sections, async () => host.listensOn(443));
}

/** nginx before gateways, as docs/gateway.md has it: it passes every connection to one that takes it, and says whose it is. */
export function streamFront(
  host: Host,
  programs: DebianPrograms,
  folder: string,
  gateways: readonly string[],
): Service {
  return nginx(host, programs, folder, frontConfig("stream {", gateways), async () => host.listensOn(443));
}
