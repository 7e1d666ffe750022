import { expect, test } from "vitest";
import { copyData, copyOut, errorResponse, ready, resultSet } from "../../test/backend-frames.ts";
import { startScriptedServer, type Reply } from "../../test/scripted-server.ts";
import { connectSql, type SqlConnection } from "./sql-connection.ts";

async function session(replies: readonly Reply[], run: (connection: SqlConnection) => Promise<void>): Promise<void> {
  await using server = await startScriptedServer({ replies });
  await using connection = await connectSql(server.config);
  await run(connection);
}

test("a connection that breaks under a statement is told as lost, and can be closed", async () => {
  await session([{ to: "select 1", send: resultSet(["one"]).subarray(0, 7), cut: true }], async (connection) => {
    await expect(connection.query("select 1")).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("the server closed the connection"),
      hint: expect.stringContaining("The server's log says why"),
      retryable: true,
    });
  });
});

test("a copy stream is no answer to a statement", async () => {
  const send = Buffer.concat([copyOut, copyData("x")]);
  await session([{ to: "copy t to stdout", send }], async (connection) => {
    await expect(connection.query("copy t to stdout")).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("the server answered with a copy stream"),
    });
  });
});

test("an error leaves the session as it was", async () => {
  const failed = {
    to: "select 1/$1",
    send: Buffer.concat([errorResponse({ C: "22012", M: "division by zero" }), ready]),
  };
  const one = { to: "select 1", send: Buffer.concat([resultSet([["one", 23]], ["1"]), ready]) };
  await session([failed, one], async (connection) => {
    await expect(connection.query("select 1/$1", [0])).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining("division by zero [22012]"),
    });
    expect(await connection.query("select 1")).toEqual([{ one: 1 }]);
  });
});
