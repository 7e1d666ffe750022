/** What a run came to, for people. */
export interface Notification {
  readonly outcome: "success" | "failure";
  /** One line. */
  readonly subject: string;
  readonly text: string;
}
