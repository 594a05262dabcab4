import { Command, InvalidArgumentError } from "commander";
import type { GatewayStatusResult, InviteResult } from "../daemon/control-protocol.js";
import { ErrorCode, PinyonError } from "../daemon/errors.js";
import { INVITATION_DAYS_MAX } from "../daemon/limits.js";
import { Clock } from "../driver/clock.js";
import { MACHINE } from "../federation/classic/network.js";
import { INVITATION_USES_MAX } from "../federation/gateway/invitation.js";
import { accountLines, listCommand, quotaText, reportCommand } from "./operator.js";
import { count, print, printJson, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("see and say to which nodes this one brings classic servers")
    .addCommand(
      new Command("status")
        .description("show which nodes it serves, who comes, and what they used")
        .option("--json", "as JSON")
        .action(async (options: { json?: true }, command: Command) => {
          const status = await withDaemon(command, (client) => client.request({ verb: "gateway-status" }));
          if (options.json) printJson(status);
          else print(...statusLines(status));
        }),
    )
    .addCommand(listCommand("gateway", "allow", "serve a node"))
    .addCommand(listCommand("gateway", "deny", "serve a node no more, and cut what is open"))
    .addCommand(inviteCommand())
    .addCommand(testCommand())
    .addCommand(reportCommand("gateway"));
}

function testCommand(): Command {
  return new Command("test")
    .description("look for a node's name as a classic server does, from this machine, and name the step that fails")
    .argument("<name>", "<52 letters and digits>.<gateway domain>")
    .option("--json", "as JSON")
    .action(async (text: string, { json }: { json?: true }) => {
      const { checkName } = await import("../federation/gateway/name-check.js");
      const name = text.toLowerCase();
      const steps = await checkName({ name, machine: MACHINE, timers: new Clock(), wallMs: Date.now });
      const failed = steps.find(({ ok }) => !ok);
      if (json) printJson({ name, ok: failed === undefined, steps });
      else print(...table(steps.map((each) => [each.ok ? "ok" : "FAILED", each.step, each.text])));
      if (failed !== undefined) {
        throw new PinyonError(ErrorCode.GATEWAY_TEST, `the step \`${failed.step}\` of the test failed`);
      }
    });
}

interface InviteOptions {
  readonly uses: number;
  readonly days: number;
  readonly json?: true;
}

function inviteCommand(): Command {
  return new Command("invite")
    .description("make an invitation, by which a node that is not listed is served")
    .option("--uses <n>", "how many nodes may use it", (text) => number(text, INVITATION_USES_MAX), 1)
    .option(
      "--days <n>",
      "for how long it can be used; who did is served on",
      (text) => number(text, INVITATION_DAYS_MAX),
      7,
    )
    .option("--json", "as JSON")
    .action(async ({ uses, days, json }: InviteOptions, command: Command) => {
      const made = await withDaemon(command, (client) => client.request({ verb: "gateway-invite", uses, days }));
      if (json) printJson(made);
      else print(...inviteLines(made));
    });
}

function inviteLines({ invitation, domain, gateway, uses, untilMs }: InviteResult): string[] {
  return [
    `For ${count(uses, "node")}, until ${new Date(untilMs).toISOString()}. Its owner writes into the node's config, and starts it again:`,
    "",
    `suffix: ${domain}`,
    "gateways:",
    "  nodes:",
    `    - ${gateway}`,
    "  invitations:",
    `    - ${invitation}`,
    "",
    "The suffix must be there before the homeserver's first start: the name is signed into every event.",
  ];
}

function number(text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) throw new InvalidArgumentError(`Expected 1 to ${max}.`);
  return value;
}

function statusLines(status: GatewayStatusResult): string[] {
  const { domain, listen, fronts, open, quota, sourceQuota, nodes, sources } = status;
  return [
    ...table([
      ["domain", domain],
      ["listens on", listen.join(", ")],
      ["fronts", fronts.join(", ") || "none"],
      ["unknown nodes", open === 0 ? "not served" : `may use as much as ${count(open, "other")} together`],
      ["each node may use", quotaText(quota)],
      ["each source", quotaText(sourceQuota)],
      ["nodes", count(status.count, "node")],
    ]),
    ...accountLines("NODE", nodes),
    ...accountLines("SOURCE", sources),
  ];
}
