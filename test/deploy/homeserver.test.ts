import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import t from "tap";
import { installSynapse, whyNoSynapse } from "../e2e/synapse-install.js";
import { CLONE, Container, whyNoContainer } from "./container.js";

t.setTimeout(300_000);

const skip = whyNoContainer() || whyNoSynapse() || false;

/** Where the container has the Python that Synapse was installed with, since its home is closed to services. */
const PYTHON = "/opt/python";
const ASK = "import sys; print(sys.base_prefix); print('%d.%d' % sys.version_info[:2])";

t.test("Synapse runs beside the node, each closed in as its unit says, and they talk", { skip }, async (t) => {
  const python = await installSynapse((line) => t.comment(line));
  const [prefix, version] = execFileSync(python, ["-c", ASK], { encoding: "utf8" }).split("\n");
  const synapse = dirname(dirname(python));
  const container = await Container.boot(t, [`--bind-ro=${synapse}:/opt/synapse`, `--bind-ro=${prefix}:${PYTHON}`]);
  const sh = (command: string) => container.run("sh", "-ec", command);

  t.match(await sh(`${CLONE}/deploy/install.sh`), { code: 0 });
  const connected = await sh(`
    pinyon --state /var/lib/pinyon homeserver connect synapse --new /var/lib/synapse --apply
    mkdir /run/systemd/system/pinyon.service.d
    printf '[Service]\\nSystemCallErrorNumber=kill\\n' > /run/systemd/system/pinyon.service.d/strict.conf
    systemctl daemon-reload
    systemctl restart pinyon
    install -m 644 ${CLONE}/deploy/synapse.service /etc/systemd/system/
    mkdir /run/systemd/system/synapse.service.d
    cat > /run/systemd/system/synapse.service.d/python.conf <<END
[Service]
ExecPaths=${PYTHON}
Environment=LD_LIBRARY_PATH=${PYTHON}/lib PYTHONPATH=/opt/synapse/lib/python${version}/site-packages
ExecStart=
ExecStart=${PYTHON}/bin/python${version} -m synapse.app.homeserver --config-path=/var/lib/synapse/homeserver.yaml
END
    systemctl daemon-reload
    systemctl enable --now synapse`);
  t.match(connected, { code: 0 }, "it starts, and says that it is ready");
  t.match(await sh("systemctl is-active pinyon synapse"), { output: "active\nactive\n" });
  t.match(await sh("stat --format='%a %U' /var/lib/synapse/signing.key"), { output: "600 synapse\n" });
  t.match(await sh("pinyon --state /var/lib/pinyon homeserver check synapse"), { code: 0, output: /ok +outward/ });
});
