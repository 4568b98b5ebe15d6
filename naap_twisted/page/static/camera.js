export function startCamera() {}
