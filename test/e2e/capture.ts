import { join } from "node:path";

/** What a relay under watch tells its test: all that it was given, and the bytes of DATA frames by destination, since its start. */
export interface CaptureReport {
  readonly capturedBytes: number;
  readonly carriedBytes: Readonly<Record<string, number>>;
}

/** Where a relay under watch writes what its links deliver. */
export function capturePath(folder: string): string {
  return join(folder, "frames");
}
