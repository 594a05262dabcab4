/** What a program does on command. */
export type Commands = Readonly<Record<string, (args: never) => unknown>>;

/** Does what the benchmark asks of this process, and says that it is ready; ends when the benchmark does. */
export function serve(commands: Commands): void {
  process.on("message", async (order: { id: number; command: string; args: never }) => {
    const { id, command, args } = order;
    try {
      process.send!({ id, result: await commands[command]!(args) });
    } catch (error) {
      process.send!({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.once("disconnect", () => process.exit());
  process.once("SIGTERM", () => process.exit());
  process.send!({ ready: true });
}
