let token = "";

/** Who the user is, for `Authorization: Bearer`. Kept in memory: gone with the page. */
export function getAuthToken(): string {
  return token;
}

export function setAuthToken(value: string): void {
  token = value.trim();
}
